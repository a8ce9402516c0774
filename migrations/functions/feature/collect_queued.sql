create or replace function feature.collect_queued(
    p_tenant_ids integer[], p_symbols text[], p_from timestamptz, p_to timestamptz
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    drop table if exists pg_temp.queued;
    create temp table queued on commit drop as
    select
        c.ctid as place,
        c.xmin as written_by,
        c.tenant_id,
        c.symbol,
        c.bucket
    from feature.changed_bar as c
    cross join feature.clock as k
    inner join unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
        on c.tenant_id = s.tenant_id and c.symbol = s.symbol
    left join market.instrument as i on c.symbol = i.symbol
    where
        c.bucket >= p_from
        and c.bucket < p_to
        -- as feature.queued_history() judges
        and c.kind = coalesce(i.bars_from, 'trade')
        and c.known_to <= k.live_from
        and c.bucket <= k.live_from - interval '1 minute';
    analyze queued;
end
$$;
revoke all on function feature.collect_queued(
    integer[], text[], timestamptz, timestamptz
) from public;
comment on function feature.collect_queued(integer[], text[], timestamptz, timestamptz) is
'Makes the temporary table queued: which rows feature.changed_bar has of history of the series '
'p_tenant_ids, p_symbols, element by element, with bucket in [p_from, p_to), by place and '
'written_by (ctid and xmin): what is read after this has their ticks. Step of '
'feature.backfill_slice(), for feature.end_waits().';
