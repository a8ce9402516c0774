-- depends: functions/model/note_taken functions/model/queue_labels functions/model/take_labels
create or replace procedure model.note_labels(inout p_labels bigint default null)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
    c_began_at constant timestamptz := pg_catalog.clock_timestamp();
    v_taken record;
begin
    p_labels := 0;
    perform model.queue_labels();
    commit;
    loop
        select t.* into v_taken from model.take_labels(c_began_at) as t;
        exit when v_taken.model is null;
        -- so that it is known what ran, should it never end
        commit;
        p_labels := p_labels + model.note_taken(
            v_taken.model, v_taken.version, v_taken.tenant_id, v_taken.source_tenant_id,
            v_taken.symbols, v_taken.as_ofs
        );
        commit;
    end loop;
end
$$;
revoke all on procedure model.note_labels(bigint) from public;
comment on procedure model.note_labels(bigint) is -- noqa: LT01
'Notes in model.label what came of each question that was answered, once it can be known: runs the '
'SQL of the label that the version''s card has, read only, for one version and tenant at a time, '
'each committed. A job of the database calls it each minute, and ends it after ten. Where that SQL '
'fails, does not end, or answers what is wrong, model.label_run and model.alert say so, and all '
'others go on. A label that is NULL is asked for again, after a minute at first and an hour at '
'last, for thirty days; model.queue_labels() asks for older ones. p_labels: how many came. Errors: '
'2D000 in a transaction.';
