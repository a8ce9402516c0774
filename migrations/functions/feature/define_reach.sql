-- depends: functions/feature/define_formula
create or replace function feature.define_reach() returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select feature.define_formula(
        'feature.reach(out bars integer, out minutes integer)',
        format('select r.bars, r.minutes from (%s) as r', rtrim(
            pg_get_viewdef('feature.formula_reach'::regclass), '; '
        )),
        'How far back a value of a bar looks: bars (earlier ones that are there) and minutes (bars '
        'that start less than so many minutes before it). Made of feature.formula_reach by '
        'feature.compile().'
    )
$$;
revoke all on function feature.define_reach() from public;
comment on function feature.define_reach() is
'Makes feature.reach() of the dbt model feature.formula_reach. Step of feature.compile().';
