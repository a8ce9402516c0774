-- depends: functions/model/note_part
create or replace function model.note_taken(
    p_model text, p_version integer, p_tenant_id integer, p_source_tenant_id integer,
    p_symbols text[], p_as_ofs timestamptz[]
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_sql constant text := (
        select v.card #>> '{label,sql}'
        from model.version as v
        where v.model = p_model and v.version = p_version
    );
    -- so many fail by themselves: it is not for one question
    c_bad constant integer := 3;
    v_part int4range;
    v_parts int4range[] := array[int4range(1, cardinality(p_symbols), '[]')];
    v_middle integer;
    v_bad integer := 0;
    v_state text;
    v_message text;
    v_came bigint;
    v_labels bigint := 0;
begin
    while cardinality(v_parts) > 0 and v_bad < c_bad loop
        v_part := v_parts[1];
        v_parts := v_parts[2 :];
        begin
            v_came := model.note_part(
                p_model, p_version, p_tenant_id, c_sql, p_symbols[lower(v_part) : upper(v_part) - 1],
                p_as_ofs[lower(v_part) : upper(v_part) - 1], p_source_tenant_id
            );
            v_labels := v_labels + v_came;
        exception
            when others then
                get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
                if upper(v_part) - lower(v_part) > 1 then
                    -- halves, down to the one that fails
                    v_middle := (lower(v_part) + upper(v_part)) / 2;
                    v_parts := array[
                        int4range(lower(v_part), v_middle), int4range(v_middle, upper(v_part))
                    ] || v_parts;
                else
                    v_bad := v_bad + 1;
                    v_message := format(
                        '%s, of %s as of %s', v_message, p_symbols[lower(v_part)],
                        p_as_ofs[lower(v_part)]
                    );
                end if;
        end;
    end loop;
    update model.label_run as r
    set
        ended_at = clock_timestamp(),
        failures = case when v_bad = 0 then 0 else r.failures + 1 end,
        sqlstate = case when v_bad > 0 then v_state end,
        message = case when v_bad > 0 then v_message end
    where r.model = p_model and r.version = p_version and r.tenant_id = p_tenant_id;
    return v_labels;
end
$$;
revoke all on function model.note_taken(
    text, integer, integer, integer, text[], timestamptz[]
) from public;
comment on function model.note_taken(text, integer, integer, integer, text[], timestamptz[]) is
'Asks for the labels of what model.take_labels() took, notes those that are known, and how it '
'went in model.label_run: an error stops nothing else. Where the SQL fails it is asked in halves, '
'down to the question that it fails on, of which three are enough. Returns how many labels came. '
'Step of model.note_labels().';
