create or replace function market.refuse_rewrite() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '%.% is append-only: % refused', tg_table_schema, tg_table_name, tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'What was known stays. Change the line of seeds/ and run "make migrate": it is known '
            'from then on.';
end
$$;
revoke all on function market.refuse_rewrite() from public;
comment on function market.refuse_rewrite() is
'Trigger of the versions of reference data: refuses UPDATE, DELETE and TRUNCATE to everyone, '
'their owner included. Errors: 55000, always.';

create or replace trigger version_is_append_only
before update or delete or truncate on market.calendar_version
for each statement execute function market.refuse_rewrite();

create or replace trigger version_is_append_only
before update or delete or truncate on market.calendar_session_version
for each statement execute function market.refuse_rewrite();

create or replace trigger version_is_append_only
before update or delete or truncate on market.calendar_holiday_version
for each statement execute function market.refuse_rewrite();

create or replace trigger version_is_append_only
before update or delete or truncate on market.instrument_version
for each statement execute function market.refuse_rewrite();

create or replace trigger version_is_append_only
before update or delete or truncate on market.contract_version
for each statement execute function market.refuse_rewrite();

create or replace trigger version_is_append_only
before update or delete or truncate on market.feature_set_version
for each statement execute function market.refuse_rewrite();

create or replace trigger version_is_append_only
before update or delete or truncate on market.session_month
for each statement execute function market.refuse_rewrite();
