-- depends: functions/feature/ticked_series
create or replace function feature.rebuild_slices(
    p_tenant_ids integer[],
    p_symbols text[],
    p_buckets timestamptz[],
    p_from timestamptz,
    p_to timestamptz,
    p_ahead interval
) returns table (tenant_ids integer[], symbols text[], slice_from timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    -- 20: big enough to pay for planning, small enough for memory
    with series as (
        select
            t.tenant_id,
            t.symbol,
            greatest(p_from, c.bucket - p_ahead) as starts
        from feature.ticked_series(p_from, p_to + p_ahead) as t
        left join unnest(p_tenant_ids, p_symbols, p_buckets) as c (tenant_id, symbol, bucket)
            on t.tenant_id = c.tenant_id and t.symbol = c.symbol
        where p_symbols is null or c.bucket - p_ahead < p_to
    ),

    placed as (
        select
            s.*,
            (row_number() over (order by s.starts, s.tenant_id, s.symbol) - 1) / 20 as place
        from series as s
    )

    select
        array_agg(p.tenant_id),
        array_agg(p.symbol),
        min(p.starts)
    from placed as p
    group by p.place
    order by p.place
$$;
revoke all on function feature.rebuild_slices(
    integer[], text[], timestamptz[], timestamptz, timestamptz, interval
) from public;
grant execute on function feature.rebuild_slices(
    integer[], text[], timestamptz[], timestamptz, timestamptz, interval
) to market_operator;
comment on function feature.rebuild_slices(
    integer[], text[], timestamptz[], timestamptz, timestamptz, interval
) is
'The slices of a stretch [p_from, p_to) of feature.rebuild_set(): 20 series at a time that have '
'ticks in it, or p_ahead later, with where the slice begins. p_tenant_ids, p_symbols, p_buckets: '
'the series, element by element, and from which bar on; NULL: all, from p_from.';
