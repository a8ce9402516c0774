create or replace function feature.window_inputs(p_own text[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive needed (field) as (
        select c.field from market.contract as c where c.field <> all(p_own)
        union
        select i.field
        from needed as n
        inner join market.contract as c on n.field = c.field
        cross join string_to_table(c.inputs, ' ') as i (field)
        -- what an own value is made of is its ticks
        where c.field <> all(p_own)
    )

    select coalesce(array_agg(c.field order by c.ordinal), '{}')
    from market.contract as c
    inner join needed as n on c.field = n.field
    where c.field = any(p_own)
$$;
revoke all on function feature.window_inputs(text[]) from public;
comment on function feature.window_inputs(text[]) is
'Which of a bar''s own fields, p_own, windows read, as the inputs of the other fields of '
'market.contract say, those of their inputs included; in the contract''s order.';
