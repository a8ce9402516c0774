-- depends: functions/feature/guard_log functions/feature/is_completed
create or replace function feature.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if tg_op = 'UPDATE'
        and current_setting('feature.filling', true)
            = coalesce(substring(tg_argv[0] from '^feature\.(.*)_log$'), 'market_1m')
        and feature.is_completed(
            current_setting('feature.filling', true), to_jsonb(old), to_jsonb(new)
        ) then
        return new;
    end if;
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
'everyone, its owner included. One UPDATE passes: feature.fill_slice() gives a version the value '
'of a field that was added later (feature.is_completed()). Errors: 55000.';

create or replace trigger log_is_append_only
before update or delete on feature.log
for each row execute function feature.refuse_change();

create or replace trigger log_is_never_emptied
before truncate on feature.log
for each statement execute function feature.refuse_change();

-- those of a log that feature.make_log() has made, too, where somebody has dropped them
select feature.guard_log(c.relname::text)
from pg_catalog.pg_class as c
inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid and a.attname = 'closes_at'
where
    c.relnamespace = 'feature'::pg_catalog.regnamespace
    and c.relkind = 'r'
    and c.relname ~ '_log$';
