create or replace function model.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'model.% is append-only: % refused', tg_table_name, tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'What served a prediction stays. Register another version, or promote again.';
end
$$;
revoke all on function model.refuse_change() from public;
comment on function model.refuse_change() is
'Trigger of model.version, model.promotion and model.rollout: refuses UPDATE, DELETE and TRUNCATE '
'to everyone, their owner included. Errors: 55000, always.';

create or replace trigger is_append_only
before update or delete or truncate on model.version
for each statement execute function model.refuse_change();

create or replace trigger is_append_only
before update or delete or truncate on model.promotion
for each statement execute function model.refuse_change();

create or replace trigger is_append_only
before update or delete or truncate on model.rollout
for each statement execute function model.refuse_change();
