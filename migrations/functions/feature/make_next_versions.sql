create or replace function feature.make_next_versions() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    create temp table next_version on commit drop as
    with trailing_value as (
        select
            i.tenant_id,
            i.symbol,
            t.bucket,
            t.sma_20,
            t.volatility_1h,
            t.regime_tag,
            (
                select max(m.cause_rank)
                from moved as m
                where
                    m.tenant_id = i.tenant_id
                    and m.symbol = i.symbol
                    and m.bucket between i.reached_from and t.bucket
            ) as cause_rank
        from island as i
        inner join window_value as t on i.series_no = t.series_no
    ),

    changed_value as (
        select
            c.tenant_id,
            c.symbol,
            c.bucket,
            o.open,
            o.high,
            o.low,
            o.close,
            o.volume,
            o.vwap,
            case when t.bucket is null then (c.version).sma_20 else t.sma_20 end as sma_20,
            case when t.bucket is null then (c.version).volatility_1h else t.volatility_1h end
                as volatility_1h,
            case when t.bucket is null then (c.version).regime_tag else t.regime_tag end
                as regime_tag,
            o.spread_bps,
            o.order_imbalance,
            greatest(c.cause_rank, t.cause_rank) as cause_rank,
            c.version
        from changed as c
        inner join own as o on c.series_no = o.series_no
        left join trailing_value as t
            on c.tenant_id = t.tenant_id and c.symbol = t.symbol and c.bucket = t.bucket
    ),

    gone as (
        select
            c.tenant_id,
            c.symbol,
            c.bucket,
            c.cause_rank
        from changed as c
        where
            (c.version).close is not null
            and not exists (select from own as o where o.series_no = c.series_no)
    ),

    reached_value as (
        select
            t.*,
            v.version
        from trailing_value as t
        cross join lateral (
            select l as version
            from feature.log as l
            where l.tenant_id = t.tenant_id and l.symbol = t.symbol and l.bucket = t.bucket
            order by l.known_at desc
            limit 1
        ) as v
        where not exists (
            select from changed as c
            where c.tenant_id = t.tenant_id and c.symbol = t.symbol and c.bucket = t.bucket
        )
    )

    select
        tenant_id, symbol, bucket, open, high, low, close, volume, vwap, sma_20, volatility_1h,
        regime_tag, spread_bps, order_imbalance, cause_rank, version
    from changed_value
    union all
    select
        tenant_id, symbol, bucket, (version).open, (version).high, (version).low,
        (version).close, (version).volume, (version).vwap, sma_20, volatility_1h, regime_tag,
        (version).spread_bps, (version).order_imbalance, cause_rank, version
    from reached_value
    union all
    select
        tenant_id, symbol, bucket, null, null, null, null, null, null, null, null, null, null,
        null, cause_rank, null
    from gone;
end
$$;
revoke all on function feature.make_next_versions() from public;
comment on function feature.make_next_versions() is
'Makes the temporary table next_version: what each bar of changed, and each bar that an island '
'reaches, is now: tenant_id, symbol, bucket, the eleven fields, cause_rank, and version, its last '
'one in the log. A bar that has gone has NULL values. Step of feature.publish().';
