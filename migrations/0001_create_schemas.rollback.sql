-- loses: every dbt view of the schemas staging, intermediate and feature; "dbt run" makes them
--   again
drop schema feature cascade;
drop schema intermediate cascade;
drop schema staging cascade;
drop schema market;

do $$
begin
    -- owns nothing here any more, but rights granted to it would keep the role alive
    drop owned by market_owner;
    drop role market_owner;
exception
    -- another database of this cluster still uses the role
    when dependent_objects_still_exist then null;
end
$$;
