create or replace function audit.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'audit.event is append-only: % refused', tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'What was recorded stays. Add a correcting event with audit.record().';
end
$$;
revoke all on function audit.refuse_change() from public;
comment on function audit.refuse_change() is
'Trigger of audit.event: refuses UPDATE, DELETE and TRUNCATE to everyone, its owner included. '
'Errors: 55000, always.';

create or replace trigger event_is_append_only
before update or delete or truncate on audit.event
for each statement execute function audit.refuse_change();
