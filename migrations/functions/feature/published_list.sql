create or replace function feature.published_list(
    p_set text, p_part text, p_format text
) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(string_agg(format(p_format, f.field), '' order by f.place), '')
        from feature.published_field() as f
        where
            f.feature_set = p_set
            and case p_part
                when 'own' then f.is_own
                when 'window' then not f.is_own
                when 'input' then f.is_input
                when 'always' then f.is_always
                else true
            end
    );
end
$$;
revoke all on function feature.published_list(text, text, text) from public;
comment on function feature.published_list(text, text, text) is
'Fields of the set p_set in feature.published_field() in their order, each put into p_format as '
'its %1$I, one after the other: what the SQL of a publish or backfill is put together from. '
'p_part: all; own, what a bar has by itself; window, the others; input, own ones that windows '
'read; always, the one that tells whether a version has a bar.';
