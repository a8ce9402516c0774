create or replace function feature.make_history_versions() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
begin
    create temp table history_version on commit drop as
    with compared as (
        select
            t.*,
            lag(t) over by_time as last,
            count(t.close) over (
                by_time rows between unbounded preceding and 1 preceding
            ) as versions_before
        from timeline as t
        window by_time as (partition by t.series_no, t.bucket order by t.known_at)
    )

    select
        s.tenant_id, s.symbol, c.bucket, c.known_at, c.open, c.high, c.low, c.close, c.volume,
        c.vwap, c.sma_20, c.volatility_1h, c.regime_tag, c.spread_bps, c.order_imbalance,
        case when c.versions_before = 0 then 'close' else c_causes[c.cause_rank] end as cause
    from compared as c
    inner join slice as s on c.series_no = s.series_no
    where
        row(
            c.open, c.high, c.low, c.close, c.volume, c.vwap, c.sma_20, c.volatility_1h,
            c.regime_tag, c.spread_bps, c.order_imbalance
        ) is distinct from row(
            (c.last).open, (c.last).high, (c.last).low, (c.last).close, (c.last).volume,
            (c.last).vwap, (c.last).sma_20, (c.last).volatility_1h, (c.last).regime_tag,
            (c.last).spread_bps, (c.last).order_imbalance
        )
    order by c.bucket, s.tenant_id, s.symbol, c.known_at;
    analyze history_version;
end
$$;
revoke all on function feature.make_history_versions() from public;
comment on function feature.make_history_versions() is
'Makes the temporary table history_version: those rows of timeline whose values differ from the '
'moment before, as versions: tenant_id, symbol, bucket, known_at, the eleven fields and cause. '
'Step of feature.backfill_slice().';
