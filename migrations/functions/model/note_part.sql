-- depends: functions/model/ask_label
create or replace function model.note_part(
    p_model text, p_version integer, p_tenant_id integer, p_sql text, p_symbols text[],
    p_as_ofs timestamptz[], p_source_tenant_id integer
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_asked record;
    v_labels bigint;
begin
    -- with a handler it is a transaction of its own: read only, and what comes after it is not
    begin
        select a.* into v_asked
        from model.ask_label(p_sql, p_symbols, p_as_ofs, p_source_tenant_id) as a;
    exception
        when others then raise;
    end;
    with label as (
        insert into model.label (model, version, tenant_id, symbol, as_of, value, known_at)
        select
            p_model,
            p_version,
            p_tenant_id,
            p_symbols[f.place],
            p_as_ofs[f.place],
            f.value,
            f.known_at
        from unnest(v_asked.places, v_asked.label_values, v_asked.known_ats) as f (
            place, value, known_at
        )
        where f.known_at <= clock_timestamp()
        on conflict (model, version, tenant_id, symbol, as_of) do nothing
        returning symbol, as_of
    ),

    ended as (
        delete from model.label_wait as w
        using label as l
        where
            w.model = p_model
            and w.version = p_version
            and w.tenant_id = p_tenant_id
            and w.symbol = l.symbol
            and w.as_of = l.as_of
    )

    select count(*) into v_labels from label as l;
    return v_labels;
end
$$;
revoke all on function model.note_part(
    text, integer, integer, text, text[], timestamptz[], integer
) from public;
comment on function model.note_part(
    text, integer, integer, text, text[], timestamptz[], integer
) is
'Asks for the labels of some questions and notes those that are known by now; the others wait on. '
'Returns how many came. Errors: those of model.ask_label(). Step of model.note_taken().';
