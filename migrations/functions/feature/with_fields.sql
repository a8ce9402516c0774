-- depends: functions/feature/chunk_of functions/feature/field_list functions/feature/name_of
--   functions/feature/span_of functions/feature/with_names
create or replace function feature.with_fields(p_set text, p_sql text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_made text := '';
    v_left text := feature.with_names(p_set, p_sql);
    v_parts text[];
    v_format text;
    v_word text;
    v_separator text;
    v_fields text;
begin
    while v_left ~ '[{}]' loop
        -- before a mark, in it, and after it
        v_parts := regexp_match(v_left, '^([^{}]*)\{([^{}]*)\}(.*)$');
        v_format := btrim(regexp_replace(v_parts[2], '\|[^|]*$', ''));
        if v_format is null or v_format !~ '%' then
            raise exception 'no mark of fields: %', coalesce('{' || v_parts[2] || '}', v_left)
                using errcode = 'syntax_error',
                hint = 'Marks are { format } and { format | separator }, and those of '
                    'feature.with_names(): feature.with_fields().';
        end if;
        v_word := btrim(substring(v_parts[2] from '\|([^|]*)$'));
        v_separator := case v_word when '' then ' ' else coalesce(' ' || v_word || ' ', ', ') end;
        -- a mark that begins its line: a field a line
        v_separator := coalesce(
            rtrim(v_separator) || substring(v_parts[1] from '\n *$'), v_separator
        );
        v_fields := feature.field_list(p_set, v_format, v_separator);
        if v_fields is null then
            raise exception 'set % has no field in market.contract', p_set
                using errcode = 'object_not_in_prerequisite_state',
                hint = 'Give it lines in seeds/smartdb_contract.csv, then run "make migrate".';
        end if;
        v_made := v_made || v_parts[1] || v_fields;
        v_left := v_parts[3];
    end loop;
    return v_made || v_left;
end
$$;
revoke all on function feature.with_fields(text, text) from public;
comment on function feature.with_fields(text, text) is
'p_sql with the fields of the set p_set in place of each mark: { format } stands for '
'feature.field_list(set, format); { format | separator } has that word, or nothing but a space, '
'between the fields. So { l.%I } is l.a, l.b, and { %I %s } a list of columns with their types; '
'one field a line where the mark begins its line. The marks of feature.with_names() come first. '
'Errors: 42601 for braces around anything else, 55000 where the set has no field.';
