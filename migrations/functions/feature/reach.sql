create or replace function feature.reach(out bars integer, out minutes integer)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format('select r.bars, r.minutes from (%s) as r',
        rtrim(pg_get_viewdef('feature.formula_reach'::regclass), '; '))
    into bars, minutes;
end
$$;
revoke all on function feature.reach() from public;
comment on function feature.reach() is
'How far back a value of a bar looks, from the dbt model feature.formula_reach: bars (earlier '
'bars that traded) and minutes (bars that start less than so many minutes before it).';
