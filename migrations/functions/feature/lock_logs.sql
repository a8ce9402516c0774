-- depends: functions/feature/name_of
create or replace function feature.lock_logs(p_sets text[]) returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_tries constant integer := 100;
    v_set text;
begin
    -- Never waits for a lock: whoever reads a log and then waits for the clock would wait for it.
    foreach v_set in array p_sets loop
        for v_try in 1 .. c_tries loop
            begin
                execute format(
                    'lock table only feature.%I in access exclusive mode nowait',
                    feature.name_of(v_set, 'log')
                );
                exit;
            exception
                when lock_not_available then
                    if v_try = c_tries then
                        return false;
                    end if;
                    perform pg_sleep(0.02);
            end;
        end loop;
    end loop;
    return true;
end
$$;
revoke all on function feature.lock_logs(text[]) from public;
comment on function feature.lock_logs(text[]) is
'Locks the logs of these sets, for a moment in which nobody reads them; false: there was none in '
'two seconds. Step of feature.switch_logs().';
