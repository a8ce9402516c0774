create or replace function feature.set_order() returns setof market.feature_set
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive reads as (
        select
            s.feature_set,
            s.made_of as from_set
        from market.feature_set as s
        where s.made_of <> 'tick'
        union
        select
            c.feature_set,
            split_part(i.name, '.', 1)
        from market.contract as c
        cross join string_to_table(c.inputs, ' ') as i (name)
        where position('.' in i.name) > 0
    ),

    step (feature_set, depth) as (
        select
            s.feature_set,
            0
        from market.feature_set as s
        union
        select
            r.feature_set,
            t.depth + 1
        from step as t
        inner join reads as r on t.feature_set = r.from_set and r.feature_set <> r.from_set
        -- sets that read one another have no end: feature.check_set() refuses them
        where t.depth < 20
    )

    select s.*
    from market.feature_set as s
    order by (select max(t.depth) from step as t where t.feature_set = s.feature_set), s.feature_set
$$;
revoke all on function feature.set_order() from public;
comment on function feature.set_order() is
'The sets of market.feature_set, each after those that it reads.';
