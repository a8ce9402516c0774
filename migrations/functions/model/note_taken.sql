-- depends: functions/model/ask_label
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
    v_places bigint[];
    v_values double precision[];
    v_known_ats timestamptz[];
    v_wrong text;
    v_state text;
    v_message text;
    v_labels bigint := 0;
begin
    begin
        select
            array_agg(a.place),
            array_agg(a.value),
            array_agg(a.known_at),
            max(a.wrong)
        into v_places, v_values, v_known_ats, v_wrong
        from (
            select
                l.*,
                case
                    when l.place is null or l.place not between 1 and cardinality(p_symbols)
                        then format('place is %s of %s', l.place, cardinality(p_symbols))
                    when count(*) over (partition by l.place) > 1
                        then format('place %s comes twice', l.place)
                    when l.value in ('NaN', 'Infinity', '-Infinity') or l.known_at is null
                        then format('value %s is known at %s', l.value, l.known_at)
                end as wrong
            from model.ask_label(c_sql, p_symbols, p_as_ofs, p_source_tenant_id) as l
            where l.value is not null
        ) as a;
        if v_wrong is not null then
            raise exception 'its answer is wrong: %', v_wrong using errcode = 'data_exception';
        end if;
    exception
        when others then
            get stacked diagnostics v_state = returned_sqlstate, v_message = message_text;
    end;
    if v_state is null then
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
            from unnest(v_places, v_values, v_known_ats) as f (place, value, known_at)
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
    end if;
    update model.label_run as r
    set
        ended_at = clock_timestamp(),
        failures = case when v_state is null then 0 else r.failures + 1 end,
        sqlstate = v_state,
        message = v_message
    where r.model = p_model and r.version = p_version and r.tenant_id = p_tenant_id;
    return v_labels;
end
$$;
revoke all on function model.note_taken(
    text, integer, integer, integer, text[], timestamptz[]
) from public;
comment on function model.note_taken(text, integer, integer, integer, text[], timestamptz[]) is
'Asks for the labels of what model.take_labels() took, notes those that are known, and how it '
'went in model.label_run: an error of the label''s SQL, or an answer that is wrong (a place that '
'was not asked or comes twice, a value that is no number or without known_at), stops nothing else. '
'Returns how many labels came. Step of model.note_labels().';
