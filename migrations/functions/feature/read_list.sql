create or replace function feature.read_list(
    p_set text, p_from_set text, p_format text
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(
            string_agg(
                format(p_format, f.field, f.from_set || '.' || f.field), ''
                order by f.from_set, f.place
            ),
            ''
        )
        from feature.read_field() as f
        where f.feature_set = p_set and f.from_set = coalesce(p_from_set, f.from_set)
    );
end
$$;
revoke all on function feature.read_list(text, text, text) from public;
comment on function feature.read_list(text, text, text) is
'Fields of p_from_set, NULL: of any other set, that windows of the set p_set read, as '
'feature.read_field() says: each put into p_format as its %1$I, and with its set before it, as one '
'name, as %2$I.';
