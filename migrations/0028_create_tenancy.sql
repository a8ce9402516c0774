-- depends: 0027_create_roles
-- purpose: who is which tenant and may see whose data, and the tables that tenants write
-- lock: none, the objects are new
create schema access authorization market_owner;
create schema api authorization market_owner;
comment on schema access is
'Logins and datasets: what says who may see what. No tenant has a grant here.';
comment on schema api is
'What tenants may use: views over market and feature behind a barrier, functions, and tables with '
'row security.';
grant usage on schema api to market_tenant, market_reader;
set local role market_owner;

create table access.dataset (
    dataset text primary key check (dataset <> ''),
    tenant_id integer not null unique,
    description text not null
);
comment on table access.dataset is
'One row per tenant whose data others can be entitled to, for example an exchange''s feed.';
comment on column access.dataset.dataset is 'Its name.';
comment on column access.dataset.tenant_id is 'Number that the rows of the dataset carry.';
comment on column access.dataset.description is 'What is in it.';

create table access.login (
    login name primary key,
    tenant_id integer not null
);
comment on table access.login is
'One row per role that reads for a tenant: a login, or a role that a pooled login sets per '
'transaction.';
comment on column access.login.login is 'Name of the role.';
comment on column access.login.tenant_id is 'Its tenant, api.tenant.';

create table api.tenant (
    tenant_id integer primary key check (tenant_id > 0),
    name text not null unique,
    status text not null default 'active' check (status in ('active', 'suspended'))
);
comment on table api.tenant is
'One row per tenant that has logins; a login sees its own. market.tenant says whose ticks ingest '
'accepts.';
comment on column api.tenant.tenant_id is 'Number that every row of the tenant carries.';
comment on column api.tenant.name is 'Short name for people.';
comment on column api.tenant.status is 'A suspended tenant''s logins see nothing.';

create table api.entitlement (
    tenant_id integer not null references api.tenant on delete cascade,
    dataset text not null references access.dataset,
    valid_from timestamptz not null default now(),
    valid_to timestamptz check (valid_to > valid_from),
    primary key (tenant_id, dataset, valid_from)
);
comment on table api.entitlement is
'One row per dataset, and time, that a tenant may see besides its own data; a login sees those of '
'its tenant.';
comment on column api.entitlement.tenant_id is 'Who may see it.';
comment on column api.entitlement.dataset is 'What may be seen, access.dataset.';
comment on column api.entitlement.valid_from is 'From when it may be seen, inclusive.';
comment on column api.entitlement.valid_to is
'Until when it may be seen, exclusive; NULL: until further notice.';

create function api.own_tenant() returns integer
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select t.tenant_id
    from access.login as l
    inner join api.tenant as t on l.tenant_id = t.tenant_id
    where
        -- not current_user, which is this function's owner in here; not session_user, which is
        -- the pool's login where a transaction sets its role
        l.login = case current_setting('role')
            when 'none' then session_user
            else current_setting('role')::name
        end
        and t.status = 'active'
$$;
revoke all on function api.own_tenant() from public;
grant execute on function api.own_tenant() to market_tenant;
comment on function api.own_tenant() is
'Number of the tenant whose login, or whose role set by a pooled login, asks. NULL: of none, or of '
'a suspended one.';

create function api.visible_tenants() returns integer[]
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(v.tenant_id)
    from (
        select api.own_tenant() as tenant_id
        union
        select d.tenant_id
        from api.entitlement as e
        inner join access.dataset as d on e.dataset = d.dataset
        where
            e.tenant_id = api.own_tenant()
            and e.valid_from <= now()
            and (e.valid_to is null or e.valid_to > now())
    ) as v
    where v.tenant_id is not null
$$;
revoke all on function api.visible_tenants() from public;
grant execute on function api.visible_tenants() to market_tenant;
comment on function api.visible_tenants() is
'Numbers of the tenants whose rows the asking login may see now: its own, and of the datasets that '
'it is entitled to. NULL: of none. An end of validity counts from the next transaction on.';

create table api.watchlist (
    tenant_id integer not null default api.own_tenant() references api.tenant on delete cascade,
    symbol text not null,
    primary key (tenant_id, symbol)
);
comment on table api.watchlist is 'One row per symbol that a tenant follows.';
comment on column api.watchlist.tenant_id is 'Whose it is; by default the asking login''s tenant.';
comment on column api.watchlist.symbol is 'Instrument, market.instrument.';

create table api.prediction (
    tenant_id integer not null default api.own_tenant() references api.tenant on delete cascade,
    model text not null check (model <> ''),
    symbol text not null,
    as_of timestamptz not null,
    predicted_at timestamptz not null default clock_timestamp(),
    value double precision not null,
    feature_hash text,
    primary key (tenant_id, model, symbol, as_of, predicted_at)
);
comment on table api.prediction is 'One row per prediction that a tenant''s model made.';
comment on column api.prediction.tenant_id is 'Whose it is; by default the asking login''s tenant.';
comment on column api.prediction.model is 'Name and version of the model.';
comment on column api.prediction.symbol is 'Instrument, market.instrument.';
comment on column api.prediction.as_of is 'Moment whose features it was made from.';
comment on column api.prediction.predicted_at is 'When it was made.';
comment on column api.prediction.value is 'What was predicted, in the model''s unit.';
comment on column api.prediction.feature_hash is
'feature_pit_hash() of its features: what ties it to what was known; NULL: not kept.';

do $$
declare
    v_table text;
begin
    foreach v_table in array array['tenant', 'entitlement', 'watchlist', 'prediction'] loop
        execute format('alter table api.%I enable row level security', v_table);
        execute format('alter table api.%I force row level security', v_table);
        -- forced, so the owner, and with it the functions above, needs a policy too
        execute format(
            'create policy owner_all on api.%I to market_owner using (true) with check (true)',
            v_table
        );
        execute format(
            'create policy reader_all on api.%I for select to market_reader using (true)', v_table
        );
        execute format(
            'create policy tenant_own on api.%I to market_tenant '
            'using (tenant_id = (select api.own_tenant())) '
            'with check (tenant_id = (select api.own_tenant()))',
            v_table
        );
        execute format('grant select on api.%I to market_tenant, market_reader', v_table);
    end loop;
end
$$;
grant insert, delete on api.watchlist to market_tenant;
-- a prediction stays as it was made
grant insert on api.prediction to market_tenant;
