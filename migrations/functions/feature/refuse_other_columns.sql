-- depends: functions/feature/name_of
create or replace function feature.refuse_other_columns(p_set text) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_log constant text := feature.name_of(p_set, 'log');
begin
    if exists (
        select from (
            select
                a.attname,
                a.atttypid
            from pg_attribute as a
            where
                a.attrelid in (
                    format('feature.%I', c_log)::regclass,
                    format('feature.%I', c_log || '_next')::regclass
                )
                and a.attnum > 0
                and not a.attisdropped
            group by a.attname, a.atttypid
            having count(*) < 2
        ) as o
    ) then
        raise exception 'feature.% has got other columns since feature.rebuild() began', c_log
            using errcode = 'object_not_in_prerequisite_state',
            hint = 'Call it again: it begins anew.';
    end if;
end
$$;
revoke all on function feature.refuse_other_columns(text) from public;
comment on function feature.refuse_other_columns(text) is
'Refuses a next log of the set p_set that has other columns than its log. Step of '
'feature.switch_logs(). Errors: 55000.';
