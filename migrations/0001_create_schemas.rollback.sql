-- loses: every dbt view of the schemas staging, intermediate and feature; "dbt run" makes them
--   again
drop schema feature cascade;
drop schema intermediate cascade;
drop schema staging cascade;
drop schema market cascade;

do $$
declare
    v_routine regprocedure;
begin
    for v_routine in
        select p.oid
        from pg_catalog.pg_proc as p
        where
            p.pronamespace = 'public'::regnamespace
            and pg_catalog.pg_get_userbyid(p.proowner) = 'market_owner'
    loop
        -- one of them can have gone with another
        execute pg_catalog.format('drop routine if exists %s cascade', v_routine);
    end loop;
end
$$;

do $$
begin
    -- owns nothing here any more, but rights granted to it would keep the role alive
    drop owned by market_owner;
    drop role market_owner;
exception
    -- another database of this cluster still uses the role, and keeps what it was granted there
    when dependent_objects_still_exist then null;
end
$$;
