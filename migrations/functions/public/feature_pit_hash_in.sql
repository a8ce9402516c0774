-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/value_bytes
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function public.{prefix}_pit_hash_in(
    p_generation integer, p_symbols text[], p_as_of timestamptz[],
    p_known_as_of timestamptz[] default null, p_tenant_id integer default null
) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    -- as public.{prefix}_pit_hash()
    select encode(sha256(coalesce(string_agg(
        int4send(octet_length(s.symbol))
        || convert_to(s.symbol, 'UTF8')
        || timestamptz_send(s.as_of)
        { || feature.value_bytes(s.%I) | },
        ''::bytea order by s.ordinality
    ), ''::bytea)), 'hex')
    from public.{prefix}_pit_snapshot_in(
        p_generation, p_symbols, p_as_of, p_known_as_of, p_tenant_id
    ) with ordinality as s
$$;
revoke all on function public.{prefix}_pit_hash_in(
    integer, text[], timestamptz[], timestamptz[], integer
) from public;
grant execute on function public.{prefix}_pit_hash_in(
    integer, text[], timestamptz[], timestamptz[], integer
) to market_reader;
comment on function public.{prefix}_pit_hash_in(
    integer, text[], timestamptz[], timestamptz[], integer
) is
'public.{prefix}_pit_hash() of what public.{prefix}_pit_snapshot_in() returns for the same '
'arguments: a digest of before feature.rebuild() still verifies in the generation that gave it.';
$sql$);
