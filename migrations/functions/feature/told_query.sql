-- depends: functions/feature/tell_definitions
create or replace function feature.told_query(
    p_set text, p_tenant_id integer, p_query text, p_log text default null
) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
    -- a second one
    if not exists (
        select from feature.definition as d where d.feature_set = p_set offset 1
    ) then
        return p_query;
    end if;
    return format(
        $q$
            with answer (symbol, as_of, known_as_of, bucket, known_at) as materialized (%1$s)

            select a.*
            from answer as a
            where (
                select feature.tell_definitions(
                    %2$L, array_agg(%3$L::integer), array_agg(t.symbol), array_agg(t.bucket),
                    array_agg(t.known_at), p_log => %4$L
                )
                from answer as t
            )
        $q$,
        p_query, p_set, p_tenant_id, p_log
    );
end
$$;
revoke all on function feature.told_query(text, integer, text, text) from public;
comment on function feature.told_query(text, integer, text, text) is
'The query p_query of an answer of the set p_set, so that it warns where its rows are of more than '
'one definition (feature.tell_definitions()); unchanged while the set has had but one. '
'p_tenant_id: whose, NULL: the one that has the symbol; p_log: as of feature.tell_definitions(). '
'Step of feature_pit_snapshot().';
