create or replace function feature.guard_log(p_log text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'create or replace trigger log_is_append_only before update or delete on feature.%I '
        'for each row execute function feature.refuse_change(%L)', p_log, 'feature.' || p_log
    );
    execute format(
        'create or replace trigger log_is_never_emptied before truncate on feature.%I '
        'for each statement execute function feature.refuse_change(%L)', p_log, 'feature.' || p_log
    );
end
$$;
revoke all on function feature.guard_log(text) from public;
comment on function feature.guard_log(text) is
'Makes the triggers that keep a log of the schema feature append-only. For feature.make_log(), and '
'where somebody has dropped them.';
