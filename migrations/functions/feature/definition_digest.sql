create or replace function feature.definition_digest(p_set text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (
            select left(d.hash, 6)
            from feature.current_definition as c
            inner join feature.definition as d on c.definition = d.definition
            where c.feature_set = p_set
        ), '-'
    )
$$;
revoke all on function feature.definition_digest(text) from public;
comment on function feature.definition_digest(text) is
'The first six hexadecimal digits of the hash of the definition that the set p_set is computed '
'with now (feature.definition); - before "dbt run" has made its models.';
