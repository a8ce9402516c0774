create or replace function audit.record_change() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_old jsonb;
    v_new jsonb;
begin
    if tg_op in ('UPDATE', 'DELETE') then
        v_old := to_jsonb(old);
    end if;
    if tg_op in ('INSERT', 'UPDATE') then
        v_new := to_jsonb(new);
    end if;
    if tg_op = 'TRUNCATE' or v_old is distinct from v_new then
        perform audit.record(
            tg_argv[0],
            lower(tg_op),
            format('%I.%I', tg_table_schema, tg_table_name),
            audit.describe_change(
                audit.row_key(coalesce(v_new, v_old), audit.key_columns(tg_relid)), v_old, v_new
            )
        );
    end if;
    return null;
end
$$;
revoke all on function audit.record_change() from public;
comment on function audit.record_change() is
'Trigger after a row''s insert, update or delete, or a statement''s truncate: records each as an '
'event of the kind that is the trigger''s argument. For tables that are not refilled; see '
'audit.note_change().';

-- begin and end of a run, and what is altered by hand; not its progress
create or replace trigger audit_change
after insert or delete on feature.backfill_run
for each row execute function audit.record_change('backfill');

create or replace trigger audit_update
after update on feature.backfill_run
for each row
when (
    (old.run_id, old.range_from, old.range_to, old.started_at, old.finished_at)
    is distinct from (new.run_id, new.range_from, new.range_to, new.started_at, new.finished_at)
)
execute function audit.record_change('backfill');

create or replace trigger audit_truncate
after truncate on feature.backfill_run
for each statement execute function audit.record_change('backfill');

create or replace trigger audit_change
after insert on feature.generation
for each row execute function audit.record_change('backfill');

create or replace trigger audit_change
after insert or update or delete on access.dataset
for each row execute function audit.record_change('entitlement');

create or replace trigger audit_change
after insert or update or delete on access.login
for each row execute function audit.record_change('role');

create or replace trigger audit_change
after insert or update or delete on api.tenant
for each row execute function audit.record_change('entitlement');

create or replace trigger audit_change
after insert or update or delete on api.entitlement
for each row execute function audit.record_change('entitlement');

create or replace trigger audit_truncate
after truncate on access.dataset
for each statement execute function audit.record_change('entitlement');

create or replace trigger audit_truncate
after truncate on access.login
for each statement execute function audit.record_change('role');

create or replace trigger audit_truncate
after truncate on api.tenant
for each statement execute function audit.record_change('entitlement');

create or replace trigger audit_truncate
after truncate on api.entitlement
for each statement execute function audit.record_change('entitlement');

create or replace trigger audit_change
after insert on model.version
for each row execute function audit.record_change('model');

create or replace trigger audit_change
after insert on model.promotion
for each row execute function audit.record_change('model');

create or replace trigger audit_change
after insert on model.rollout
for each row execute function audit.record_change('model');
