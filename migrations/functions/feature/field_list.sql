create or replace function feature.field_list(
    p_set text, p_format text, p_separator text default ', '
) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select string_agg(format(p_format, c.field, c.data_type, c.place), p_separator order by c.place)
    from (
        select
            t.field,
            t.data_type,
            row_number() over (order by t.ordinal) as place
        from market.contract as t
        where t.feature_set = p_set
    ) as c
$$;
revoke all on function feature.field_list(text, text, text) from public;
comment on function feature.field_list(text, text, text) is
'The fields of the set p_set in the order of market.contract, each put into p_format as its %1$I, '
'its type as %2$s and its place, from 1, as %3$s, with p_separator between: what SQL that is made '
'of the contract is put together from.';
