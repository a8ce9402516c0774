-- loses: which generations the logs had; former ones stay as tables that nothing reads
set local role market_owner;

do $$
declare
    v_made record;
begin
    -- made again by the files of an older release, with an argument or a column less
    for v_made in
        select p.oid::regprocedure as name
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'feature'::pg_catalog.regnamespace
            and (
                p.proname ~ '^(.*_)?pit_(query|branch|any|last)$'
                or p.proname in (
                    'told_query', 'tell_definitions', 'answer_digest', 'read_receipt'
                )
            )
    loop
        execute format('drop function %s', v_made.name);
    end loop;
    for v_made in
        select c.oid::regclass as name
        from pg_catalog.pg_class as c
        where
            c.relnamespace = 'feature'::pg_catalog.regnamespace
            and c.relkind = 'r'
            and c.relname ~ '^(.*_)?log_next$'
    loop
        execute format('drop table %s', v_made.name);
    end loop;
end
$$;

drop view if exists api.generation, api.definition;
-- it returns a row of one
drop function if exists feature.hold_rebuild(integer);
drop table feature.rebuild_change;
drop table feature.rebuild_series;
drop table feature.rebuild_run;
drop table feature.generation;
