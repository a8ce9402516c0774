-- depends: 0032_create_lockdown
-- purpose: one procedure that adds, changes, suspends, and one that removes a tenant
-- lock: share row exclusive on the tables of access and api, an instant
set local role market_owner;

grant usage on schema audit to market_operator;
grant select on audit.event, audit.published_head, audit.watched to market_operator;
grant execute on function audit.verify(bigint, bytea) to market_operator;

create trigger audit_change
after insert or update or delete on access.dataset
for each row execute function audit.record_change('entitlement');
create trigger audit_change
after insert or update or delete on access.login
for each row execute function audit.record_change('role');
create trigger audit_change
after insert or update or delete on api.tenant
for each row execute function audit.record_change('entitlement');
create trigger audit_change
after insert or update or delete on api.entitlement
for each row execute function audit.record_change('entitlement');
create trigger audit_truncate
after truncate on access.dataset
for each statement execute function audit.record_change('entitlement');
create trigger audit_truncate
after truncate on access.login
for each statement execute function audit.record_change('role');
create trigger audit_truncate
after truncate on api.tenant
for each statement execute function audit.record_change('entitlement');
create trigger audit_truncate
after truncate on api.entitlement
for each statement execute function audit.record_change('entitlement');

create procedure access.set_login(p_login name, p_may_log_in boolean)
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

create procedure access.drop_login(p_login name)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from access.login as l where l.login = p_login;
    if not pg_has_role(p_login, 'usage') then
        execute format('grant %I to %I with inherit true', p_login, current_user);
    end if;
    -- with ALTER DEFAULT PRIVILEGES any role can make itself one that others depend on
    execute format('drop owned by %I', p_login);
    execute format('drop role %I', p_login);
    perform audit.record('role', 'drop role', p_login);
end
$$;
revoke all on procedure access.drop_login(name) from public;
comment on procedure access.drop_login(name) is -- noqa: LT01
'Drops the role with whatever it owns in this database, and its API keys. For '
'access.set_tenant() and access.remove_tenant().';

create procedure access.set_tenant(
    p_tenant_id integer,
    p_name text default null,
    p_status text default null,
    p_logins name[] default null,
    p_symbols text[] default null,
    p_datasets text[] default null
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong text;
    v_login name;
    v_is_active boolean;
begin
    -- one change at a time
    lock table access.login in share row exclusive mode;
    select string_agg(quote_ident(l.login), ', ' order by l.login)
    into v_wrong
    from unnest(p_logins) as l (login)
    inner join pg_roles as r on l.login = r.rolname
    where
        not exists (
            select from access.login as o where o.login = l.login and o.tenant_id = p_tenant_id
        );
    if v_wrong is not null then
        raise exception '% is there already and not a login of tenant %', v_wrong, p_tenant_id
            using errcode = 'duplicate_object', hint = 'Choose another name.';
    end if;
    select string_agg(quote_literal(s.symbol), ', ' order by s.symbol)
    into v_wrong
    from unnest(p_symbols) as s (symbol)
    where not exists (select from market.instrument as i where i.symbol = s.symbol);
    if v_wrong is not null then
        raise exception '% is no instrument', v_wrong
            using errcode = 'foreign_key_violation', hint = 'Add it to seeds/instrument.csv.';
    end if;
    select string_agg(quote_literal(d.dataset), ', ' order by d.dataset)
    into v_wrong
    from unnest(p_datasets) as d (dataset)
    where not exists (select from access.dataset as k where k.dataset = d.dataset);
    if v_wrong is not null then
        raise exception '% is no dataset', v_wrong
            using errcode = 'foreign_key_violation', hint = 'Insert it into access.dataset.';
    end if;
    if p_name is null
        and not exists (select from api.tenant as t where t.tenant_id = p_tenant_id)
    then
        raise exception 'tenant % is new and has no name', p_tenant_id
            using errcode = 'null_value_not_allowed', hint = 'Give p_name.';
    end if;

    insert into api.tenant as t (tenant_id, name, status)
    select
        p_tenant_id,
        coalesce(p_name, o.name),
        coalesce(p_status, o.status, 'active')
    from (select) as always
    left join api.tenant as o on o.tenant_id = p_tenant_id
    on conflict (tenant_id) do update set name = excluded.name, status = excluded.status;
    insert into market.tenant as t (tenant_id, name)
    select
        a.tenant_id,
        a.name
    from api.tenant as a
    where a.tenant_id = p_tenant_id
    on conflict (tenant_id) do update set name = excluded.name
    where t.name <> excluded.name;

    if p_logins is not null then
        for v_login in
            select l.login from access.login as l
            where l.tenant_id = p_tenant_id and l.login <> all(p_logins)
        loop
            call access.drop_login(v_login);
        end loop;
        insert into access.login (login, tenant_id)
        select distinct
            l.login,
            p_tenant_id
        from unnest(p_logins) as l (login)
        on conflict (login) do nothing;
    end if;
    select t.status = 'active' into v_is_active
    from api.tenant as t
    where t.tenant_id = p_tenant_id;
    for v_login in select l.login from access.login as l where l.tenant_id = p_tenant_id loop
        call access.set_login(v_login, v_is_active);
    end loop;

    if p_symbols is not null then
        delete from api.watchlist as w
        where w.tenant_id = p_tenant_id and w.symbol <> all(p_symbols);
        insert into api.watchlist (tenant_id, symbol)
        select distinct
            p_tenant_id,
            s.symbol
        from unnest(p_symbols) as s (symbol)
        on conflict (tenant_id, symbol) do nothing;
    end if;

    if p_datasets is not null then
        delete from api.entitlement as e
        where e.tenant_id = p_tenant_id and e.dataset <> all(p_datasets) and e.valid_from >= now();
        update api.entitlement as e set valid_to = now()
        where
            e.tenant_id = p_tenant_id
            and e.dataset <> all(p_datasets)
            and (e.valid_to is null or e.valid_to > now());
        insert into api.entitlement (tenant_id, dataset)
        select distinct
            p_tenant_id,
            d.dataset
        from unnest(p_datasets) as d (dataset)
        where
            not exists (
                select from api.entitlement as e
                where
                    e.tenant_id = p_tenant_id
                    and e.dataset = d.dataset
                    and e.valid_from <= now()
                    and (e.valid_to is null or e.valid_to > now())
            );
    end if;
end
$$;
revoke all on procedure access.set_tenant(
    integer, text, text, name[], text[], text[]
) from public;
comment on procedure access.set_tenant(integer, text, text, name[], text[], text[]) is -- noqa: LT01
'Adds or changes a tenant; what is NULL stays as it is. p_status: active, or suspended: its logins '
'neither log in nor see anything. p_logins: the roles that read for it, all of them: others of its '
'are dropped, new ones made without a password. p_symbols: its watchlist. p_datasets: what it may '
'see from now on besides its own data; an entitlement to another ends now. Call it as a superuser '
'or as market_deploy. Errors: 42710 for a role that is another''s, 23503 for an unknown symbol or '
'dataset, 22004 for a new tenant without a name, 23505 for a name that is taken; nothing is '
'changed then.';

create procedure access.remove_tenant(p_tenant_id integer)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_login name;
begin
    if not exists (select from api.tenant as t where t.tenant_id = p_tenant_id) then
        raise exception 'there is no tenant %', p_tenant_id
            using errcode = 'no_data_found', hint = 'See api.tenant.';
    end if;
    if exists (
        select from access.dataset as d
        inner join api.entitlement as e on d.dataset = e.dataset
        where d.tenant_id = p_tenant_id and (e.valid_to is null or e.valid_to > now())
    ) then
        raise exception 'others are entitled to the dataset of tenant %', p_tenant_id
            using errcode = 'foreign_key_violation',
            hint = 'End these entitlements first: see api.entitlement.';
    end if;
    for v_login in select l.login from access.login as l where l.tenant_id = p_tenant_id loop
        call access.drop_login(v_login);
    end loop;
    delete from api.entitlement as e
    using access.dataset as d
    where e.dataset = d.dataset and d.tenant_id = p_tenant_id;
    delete from access.dataset as d where d.tenant_id = p_tenant_id;
    delete from api.tenant as t where t.tenant_id = p_tenant_id;
    delete from market.tenant as t where t.tenant_id = p_tenant_id;
end
$$;
revoke all on procedure access.remove_tenant(integer) from public;
comment on procedure access.remove_tenant(integer) is -- noqa: LT01
'Drops the tenant''s logins and dataset, and deletes its entitlements, watchlist, predictions, API '
'keys and access log; ingest then takes no tick of it. Ticks, bars and features stay until '
'retention ends them: nobody but readers of market can see them. Errors: P0002 for an unknown '
'tenant, 23503 while others are entitled to its dataset.';
