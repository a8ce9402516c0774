-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/definitions_of functions/feature/pairs_by_tenant
--   functions/feature/tell_definitions
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function api.{prefix}_pit_snapshot(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[] default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_may_mix constant boolean := exists (
        select from feature.definition as d where d.feature_set = '{set}' offset 1
    );
begin
    return query
    with of_tenant as (
        select q.*
        from feature.pairs_by_tenant(p_symbols, p_as_of, p_known_as_of, p_tenant_id) as q
    ),

    answer as materialized (
        select
            t.tenant_id,
            t.places[a.ordinality] as place,
            a.*
        from of_tenant as t
        cross join lateral public.{prefix}_pit_snapshot(
            t.symbols, t.as_ofs, t.known_as_ofs, t.tenant_id
        ) with ordinality as a
    )

    select
        a.symbol, a.as_of, a.known_as_of, a.bucket, a.known_at, { a.%I }, a.is_stale
    from answer as a
    where case
        -- one tenant's answer has told its own
        when v_may_mix and (select max(t.tenant_id) > min(t.tenant_id) from of_tenant as t) then (
            select feature.tell_definitions(
                '{set}',
                feature.definitions_of(
                    '{set}', array_agg(m.tenant_id), array_agg(m.symbol), array_agg(m.bucket),
                    array_agg(m.known_at)
                ),
                array_agg(m.tenant_id::bigint)
            )
            from answer as m
            where m.bucket is not null
        )
        else true
    end
    order by a.place;
end
$$;
revoke all on function api.{prefix}_pit_snapshot(text[], timestamptz[], timestamptz[], integer)
from public;
grant execute on function api.{prefix}_pit_snapshot(text[], timestamptz[], timestamptz[], integer)
to market_tenant;
comment on function api.{prefix}_pit_snapshot(text[], timestamptz[], timestamptz[], integer) is
'What was known, of what the asking login may see: public.{prefix}_pit_snapshot() with the same '
'columns. p_tenant_id: one of api.visible_tenants(); default, for each symbol, the one of them '
'that has it. Errors: 42501 for another tenant; 42P08 when several visible tenants have a symbol; '
'42704 for a symbol of which none of them, or not p_tenant_id, has features, whether it exists '
'elsewhere or not; else as public.{prefix}_pit_snapshot().';

create or replace function api.{prefix}_pit_snapshot(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select s.*
    from api.{prefix}_pit_snapshot(
        p_symbols,
        feature.for_each(p_symbols, p_as_of),
        feature.for_each(p_symbols, p_known_as_of),
        p_tenant_id
    ) as s
$$;
revoke all on function api.{prefix}_pit_snapshot(text[], timestamptz, timestamptz, integer)
from public;
grant execute on function api.{prefix}_pit_snapshot(text[], timestamptz, timestamptz, integer)
to market_tenant;
comment on function api.{prefix}_pit_snapshot(text[], timestamptz, timestamptz, integer) is
'The same for several symbols at one moment: see the form with arrays.';

create or replace function api.{prefix}_pit_snapshot(
    p_symbols text[], p_as_of text, p_known_as_of text default null,
    p_tenant_id integer default null
) returns setof feature.{name pit_row}
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select s.*
    from api.{prefix}_pit_snapshot(
        p_symbols, p_as_of::timestamptz, p_known_as_of::timestamptz, p_tenant_id
    ) as s
$$;
revoke all on function api.{prefix}_pit_snapshot(text[], text, text, integer) from public;
grant execute on function api.{prefix}_pit_snapshot(text[], text, text, integer) to market_tenant;
comment on function api.{prefix}_pit_snapshot(text[], text, text, integer) is
'The same for a moment written as a plain literal, which could otherwise be taken for an array: '
'see the form with arrays.';
$sql$);
