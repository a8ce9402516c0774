create or replace procedure access.set_login(p_login name, p_may_log_in boolean)
language plpgsql
-- security invoker: a login is made by whoever may make roles
set search_path = pg_catalog, pg_temp
as $$
declare
    c_settings constant text[] := array[
        ['statement_timeout', '60s'],
        ['idle_in_transaction_session_timeout', '60s'],
        ['lock_timeout', '5s'],
        ['temp_file_limit', '1GB'],
        ['log_statement', 'all']
    ];
    v_setting text[];
begin
    if not exists (select from pg_roles as r where r.rolname = p_login) then
        execute format('create role %I connection limit 20 in role market_tenant', p_login);
        execute format('grant %I to market_pool with inherit false, set true', p_login);
        foreach v_setting slice 1 in array c_settings loop
            begin
                execute format(
                    'alter role %I in database %I set %I = %L',
                    p_login, current_database(), v_setting[1], v_setting[2]
                );
            exception
                when insufficient_privilege then
                    raise warning '% keeps the server''s %', p_login, v_setting[1]
                        using hint = format(
                            'Let a superuser run: grant set on parameter %I to market_deploy',
                            v_setting[1]
                        );
            end;
        end loop;
        perform audit.record('role', 'create role', p_login);
    end if;
    if exists (
        select from pg_roles as r
        where r.rolname = p_login and r.rolcanlogin <> p_may_log_in
    ) then
        execute format(
            'alter role %I %s', p_login, case when p_may_log_in then 'login' else 'nologin' end
        );
        perform audit.record(
            'role', 'alter role', p_login, jsonb_build_object('may_log_in', p_may_log_in)
        );
    end if;
end
$$;
revoke all on procedure access.set_login(name, boolean) from public;
comment on procedure access.set_login(name, boolean) is -- noqa: LT01
'Makes the role p_login, if it is not there, a member of market_tenant that market_pool can SET, '
'with limits to its connections, time and temporary files and with its statements in the '
'server''s log; and lets it log in, or not. For access.set_tenant().';
