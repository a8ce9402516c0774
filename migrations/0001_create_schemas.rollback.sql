-- loses: every dbt view of the schemas staging, intermediate and feature; "dbt run" makes them
--   again
drop schema feature cascade;
drop schema intermediate cascade;
drop schema staging cascade;
drop schema market cascade;
-- the functions of public, and rights granted to it
drop owned by market_owner cascade;

do $$
begin
    drop role market_owner;
exception
    -- another database of this cluster still uses the role
    when dependent_objects_still_exist then null;
end
$$;
