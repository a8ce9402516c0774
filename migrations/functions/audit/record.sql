create or replace function audit.record(
    p_kind text, p_action text, p_object text, p_detail jsonb default '{}'
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_event audit.event;
begin
    -- the lock keeps the chain in one line; seq comes from here and not from a sequence, which
    --   would leave a gap for each rollback
    select h.seq + 1, h.hash
    into v_event.seq, v_event.previous_hash
    from audit.head as h
    for update;
    if not found then
        raise exception 'audit.head has lost its row: nothing can be recorded'
            using errcode = 'data_corrupted',
            hint = 'Run select * from audit.verify(), and see docs/audit.md.';
    end if;
    v_event.recorded_at := clock_timestamp();
    v_event.actor := session_user;
    -- current_user is this function's owner here; the setting is what SET ROLE left
    v_event.acting_as := coalesce(nullif(current_setting('role'), 'none'), session_user);
    v_event.client := inet_client_addr();
    v_event.application := current_setting('application_name');
    v_event.kind := p_kind;
    v_event.action := p_action;
    v_event.object := p_object;
    v_event.detail := coalesce(p_detail, '{}');
    v_event.hash := audit.event_hash(v_event);
    insert into audit.event (
        seq, recorded_at, actor, acting_as, client, application, kind, action, object, detail,
        previous_hash, hash
    )
    select v_event.*;
    update audit.head set seq = v_event.seq, hash = v_event.hash;
    return v_event.seq;
end
$$;
revoke all on function audit.record(text, text, text, jsonb) from public;
comment on function audit.record(text, text, text, jsonb) is
'Adds one event to the chain, in the caller''s transaction, and returns its seq. p_kind: '
'entitlement, role, contract, reference, ddl, backfill or model. p_action, p_object: what was done '
'to what. p_detail: anything more; never a password. The actor is session_user, which only a '
'superuser can change. acting_as knows SET ROLE; it cannot know the owner of a security definer '
'function that called this one, for which the actor answers. Other writers wait until the '
'transaction ends: record late in it. Errors: 23514 for an unknown kind, 23502 for NULL, 40001 in '
'repeatable read when another has recorded meanwhile: run it again; XX001 when audit.head is '
'empty.';
