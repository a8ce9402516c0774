create or replace function feature.append_history(p_live_from timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    v_versions bigint;
begin
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

    insert into feature.log (
        tenant_id, symbol, bucket, known_at, open, high, low, close, volume, vwap, sma_20,
        volatility_1h, regime_tag, spread_bps, order_imbalance, cause
    )
    select
        s.tenant_id, s.symbol, c.bucket, c.known_at, c.open, c.high, c.low, c.close, c.volume,
        c.vwap, c.sma_20, c.volatility_1h, c.regime_tag, c.spread_bps, c.order_imbalance,
        case when c.versions_before = 0 then 'close' else c_causes[c.cause_rank] end
    from compared as c
    inner join slice as s on c.series_no = s.series_no
    left join lateral (
        select min(l.known_at) as known_at
        from feature.log as l
        where l.tenant_id = s.tenant_id and l.symbol = s.symbol and l.bucket = c.bucket
    ) as e on true
    where
        row(
            c.open, c.high, c.low, c.close, c.volume, c.vwap, c.sma_20, c.volatility_1h,
            c.regime_tag, c.spread_bps, c.order_imbalance
        ) is distinct from row(
            (c.last).open, (c.last).high, (c.last).low, (c.last).close, (c.last).volume,
            (c.last).vwap, (c.last).sma_20, (c.last).volatility_1h, (c.last).regime_tag,
            (c.last).spread_bps, (c.last).order_imbalance
        )
        -- what a bar's first version has said already stays said
        and (e.known_at is null or c.known_at < e.known_at)
    order by c.bucket, s.tenant_id, s.symbol, c.known_at;
    get diagnostics v_versions = row_count;

    insert into feature.series (symbol, tenant_id)
    select distinct
        s.symbol,
        s.tenant_id
    from slice as s
    inner join timeline as t on s.series_no = t.series_no
    where t.close is not null
    on conflict do nothing;

    -- A bar that was published before the history in front of it was built: its windows were short.
    insert into feature.changed_bar (
        tenant_id, symbol, bucket, cause, known_from, known_to, bars_before
    )
    select
        s.tenant_id, s.symbol, n.bucket, 'late', p_live_from, p_live_from, true
    from slice as s
    inner join (
        select
            t.series_no,
            max(t.bucket) as bucket
        from timeline as t
        where t.close is not null
        group by t.series_no
    ) as h on s.series_no = h.series_no
    cross join lateral (
        select l.bucket
        from feature.log as l
        where l.tenant_id = s.tenant_id and l.symbol = s.symbol and l.bucket > h.bucket
        order by l.bucket
        limit 1
    ) as n
    where v_versions > 0;
    return v_versions;
end
$$;
revoke all on function feature.append_history(timestamptz) from public;
comment on function feature.append_history(timestamptz) is
'Appends to feature.log what timeline has at moments before a bar''s first version, notes new '
'series in feature.series, and queues the first bar after this history that has been published: '
'its windows were short. Returns the number of versions. Last step of feature.backfill_slice().';
