-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/pairs_by_tenant
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function api.{prefix}_pit_snapshot_in(
    p_generation integer, p_symbols text[], p_as_of timestamptz[],
    p_known_as_of timestamptz[] default null, p_tenant_id integer default null
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        a.symbol, a.as_of, a.known_as_of, a.bucket, a.known_at, { a.%I }, a.is_stale
    from feature.pairs_by_tenant(p_symbols, p_as_of, p_known_as_of, p_tenant_id) as t
    cross join lateral public.{prefix}_pit_snapshot_in(
        p_generation, t.symbols, t.as_ofs, t.known_as_ofs, t.tenant_id
    ) with ordinality as a
    order by t.places[a.ordinality];
end
$$;
revoke all on function api.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) from public;
grant execute on function api.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) to market_tenant;
comment on function api.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) is
'What was known, of what the asking login may see, in a generation of the log (api.generation): '
'public.{prefix}_pit_snapshot_in() with the same columns. p_tenant_id and errors: as of '
'api.{prefix}_pit_snapshot(); 42704 for a generation that there is not, too.';
$sql$);
