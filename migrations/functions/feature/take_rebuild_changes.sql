-- depends: functions/feature/hold_rebuild
create or replace function feature.take_rebuild_changes(
    p_run integer, out tenant_ids integer[], out symbols text[], out buckets timestamptz[]
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform feature.hold_rebuild(p_run);
    -- one statement: the publishes whose rows it takes are those that the clock has
    with taken as (
        delete from feature.rebuild_change as c
        returning c.*
    ),

    moved as (
        update feature.rebuild_run
        set known_to = c.published_at, stepped_at = clock_timestamp()
        from feature.clock as c
    ),

    series as (
        select
            t.tenant_id,
            t.symbol,
            min(t.bucket) as bucket
        from taken as t
        group by t.tenant_id, t.symbol
    )

    select
        array_agg(s.tenant_id),
        array_agg(s.symbol),
        array_agg(s.bucket)
    into tenant_ids, symbols, buckets
    from series as s;
end
$$;
revoke all on function feature.take_rebuild_changes(integer) from public;
grant execute on function feature.take_rebuild_changes(integer) to market_operator;
comment on function feature.take_rebuild_changes(integer) is
'What publishes have changed since the generation in the making was built: the series, element by '
'element, and the first bar of each; NULL: none. From then on the generation is to have what was '
'known by the last publish. p_run: the call of feature.rebuild().';
