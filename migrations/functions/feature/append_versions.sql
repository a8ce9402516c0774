create or replace function feature.append_versions(p_known_at timestamptz) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    v_versions bigint;
begin
    insert into feature.log (
        tenant_id, symbol, bucket, known_at, open, high, low, close, volume, vwap, sma_20,
        volatility_1h, regime_tag, spread_bps, order_imbalance, cause
    )
    select
        n.tenant_id, n.symbol, n.bucket, p_known_at, n.open, n.high, n.low, n.close, n.volume,
        n.vwap, n.sma_20, n.volatility_1h, n.regime_tag, n.spread_bps, n.order_imbalance,
        case
            when (n.version).known_at is null and n.close is not null then 'close'
            else c_causes[n.cause_rank]
        end
    from next_version as n
    where
        n.close is null
        or row(
            n.open, n.high, n.low, n.close, n.volume, n.vwap, n.sma_20, n.volatility_1h,
            n.regime_tag, n.spread_bps, n.order_imbalance
        ) is distinct from row(
            (n.version).open, (n.version).high, (n.version).low, (n.version).close,
            (n.version).volume, (n.version).vwap, (n.version).sma_20, (n.version).volatility_1h,
            (n.version).regime_tag, (n.version).spread_bps, (n.version).order_imbalance
        )
    order by n.bucket, n.tenant_id, n.symbol;
    get diagnostics v_versions = row_count;

    insert into feature.series (symbol, tenant_id)
    select distinct
        c.symbol,
        c.tenant_id
    from changed as c
    inner join own as o on c.series_no = o.series_no
    on conflict do nothing;

    insert into feature.restatement (
        tenant_id, symbol, bucket, known_at, cause, known_from, known_to
    )
    select
        c.tenant_id, c.symbol, c.bucket, p_known_at, c_causes[c.cause_rank], c.known_from,
        c.known_to
    from changed as c
    where
        (c.version).known_at is not null
        or exists (
            select from moved as m
            where
                m.tenant_id = c.tenant_id
                and m.symbol = c.symbol
                and m.bucket = c.bucket
                and m.is_followed
        );
    return v_versions;
end
$$;
revoke all on function feature.append_versions(timestamptz) from public;
comment on function feature.append_versions(timestamptz) is
'Appends to feature.log, with the stamp p_known_at, those of next_version that differ from the '
'last version; notes new series in feature.series, and in feature.restatement which bars'' ticks '
'were behind it. Returns the number of versions. Last step of feature.publish().';
