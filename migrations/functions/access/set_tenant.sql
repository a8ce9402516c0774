create or replace procedure access.set_tenant(
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
