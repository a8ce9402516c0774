-- depends: functions/feature/define functions/public/feature_pit_snapshot
--   functions/feature/value_bytes
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function public.{prefix}_pit_hash_of(
    p_fields text[], p_symbols text[], p_as_of timestamptz[],
    p_known_as_of timestamptz[] default null, p_tenant_id integer default null
) returns text
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_unknown text;
begin
    select string_agg(coalesce(f.name, 'NULL'), ', ')
    into v_unknown
    from unnest(p_fields) as f (name)
    where not exists (
        select from market.contract as c
        where c.feature_set = '{set}' and c.field = f.name
    );
    if v_unknown is not null or coalesce(cardinality(p_fields), 0) = 0 then
        raise exception 'not a field of {set}: %', coalesce(v_unknown, 'none is named')
            using errcode = 'undefined_column', hint = 'market.contract has them.';
    end if;
    return (
        select encode(sha256(coalesce(string_agg(
            int4send(octet_length(s.symbol))
            || convert_to(s.symbol, 'UTF8')
            || timestamptz_send(s.as_of)
            { || case when %1$L = any(p_fields) then feature.value_bytes(s.%1$I) else ''::bytea end | },
            ''::bytea order by s.ordinality
        ), ''::bytea)), 'hex')
        from public.{prefix}_pit_snapshot(p_symbols, p_as_of, p_known_as_of, p_tenant_id)
            with ordinality as s
    );
end
$$;
revoke all on function public.{prefix}_pit_hash_of(
    text[], text[], timestamptz[], timestamptz[], integer
) from public;
grant execute on function public.{prefix}_pit_hash_of(
    text[], text[], timestamptz[], timestamptz[], integer
) to market_reader;
comment on function public.{prefix}_pit_hash_of(
    text[], text[], timestamptz[], timestamptz[], integer
) is
'The digest that public.{prefix}_pit_hash() gave for the same arguments when {set} had the fields '
'p_fields alone, in whatever order they are named: what a model carries can be asked for again '
'after the set has got another field. Errors: 42703 for no field or one that the set has not, and '
'those of public.{prefix}_pit_snapshot().';
$sql$);
