create or replace function feature.refuse_redefinition() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'feature.definition is append-only: % refused', tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'Versions in the logs say by its number what made them. Change the models, then run '
            '"make dbt": another definition is another row.';
end
$$;
revoke all on function feature.refuse_redefinition() from public;
comment on function feature.refuse_redefinition() is
'Trigger of feature.definition: refuses UPDATE, DELETE and TRUNCATE to everyone, its owner '
'included. Errors: 55000, always.';

create or replace trigger definition_is_append_only
before update or delete or truncate on feature.definition
for each statement execute function feature.refuse_redefinition();
