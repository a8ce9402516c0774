create or replace function feature.formulas_in_use() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select string_agg(format('%s %s', c.feature_set, c.definition), ', ' order by c.feature_set)
        from feature.current_definition as c
    );
end
$$;
revoke all on function feature.formulas_in_use() from public;
comment on function feature.formulas_in_use() is
'The definition in use of each set, as one text. For feature.rebuild(), which makes a generation '
'under one.';
