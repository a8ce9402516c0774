create or replace function feature.window_inputs(p_set text, p_own text[]) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive needed (field) as (
        select c.field from market.contract as c where c.feature_set = p_set and c.field <> all(p_own)
        union
        select i.field
        from needed as n
        inner join market.contract as c on c.feature_set = p_set and n.field = c.field
        cross join string_to_table(c.inputs, ' ') as i (field)
        -- what an own value is made of is its ticks, or its minutes
        where c.field <> all(p_own)
    )

    select coalesce(array_agg(n.field order by c.ordinal, n.field), '{}')
    from needed as n
    left join market.contract as c on c.feature_set = p_set and n.field = c.field
    where c.field = any(p_own) or position('.' in n.field) > 0
$$;
revoke all on function feature.window_inputs(text, text[]) from public;
comment on function feature.window_inputs(text, text[]) is
'What windows of the set p_set read, as the inputs of its fields in market.contract say, those of '
'their inputs included: of p_own, a bar''s own fields, and fields of other sets as set.field; in '
'the contract''s order.';
