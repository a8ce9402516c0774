create or replace function feature.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- a row's trigger names its chunk
    raise exception '% is append-only: % refused', coalesce(tg_argv[0], 'feature.log'), tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'A change of history is a new version: correct the events, then call '
            'feature.publish(). Old chunks go with the retention policy.';
end
$$;
revoke all on function feature.refuse_change() from public;
comment on function feature.refuse_change() is
'Trigger of feature.log and the logs of other sets: refuses UPDATE, DELETE and TRUNCATE to '
'everyone, its owner included. Errors: 55000, always.';

create or replace trigger log_is_append_only
before update or delete on feature.log
for each row execute function feature.refuse_change();

create or replace trigger log_is_never_emptied
before truncate on feature.log
for each statement execute function feature.refuse_change();
