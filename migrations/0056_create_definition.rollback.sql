-- loses: which formulas made which version; refused where a version has the cause definition
set local role market_owner;

do $$
declare
    v_made record;
begin
    for v_made in
        select p.oid::regprocedure::text as name
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'feature'::pg_catalog.regnamespace
            and p.proname ~ '^(.*_)?explain_restatement$'
    loop
        execute format('drop function %s', v_made.name);
    end loop;
    for v_made in
        select
            c.oid::regclass as name,
            c.relname || '_cause_check' as "check"
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid and a.attname = 'definition'
        where
            c.relnamespace = 'feature'::pg_catalog.regnamespace
            and c.relkind = 'r'
            and c.relname ~ '^(.*_)?log$'
    loop
        execute format('alter table %s drop constraint %I', v_made.name, v_made.check);
        execute format(
            'alter table %s add constraint %I '
            'check (cause in (''close'', ''late'', ''correction'', ''cancel''))',
            v_made.name, v_made.check
        );
        -- views of api are on it; make migrate makes them anew
        execute format('alter table %s drop column definition cascade', v_made.name);
    end loop;
end
$$;
comment on column feature.log.cause is
'Why the version is there: close (the bar''s first), or what changed it or a bar before it that '
'it is made from: late, correction or cancel; the last of these that applies.';

drop table feature.current_definition;
drop table feature.definition;
