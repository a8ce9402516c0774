-- depends: 0002_create_roles
-- purpose: who is which tenant and may see whose data, and the tables that tenants write
-- lock: none, the objects are new
create schema access authorization market_owner;
create schema api authorization market_owner;
comment on schema access is
'Logins and datasets: what says who may see what. No tenant has a grant here.';
comment on schema api is
'What tenants may use: views over market and feature behind a barrier, functions, and tables with '
'row security.';
grant usage on schema api to market_tenant, market_pool, market_reader;
-- it has it through market_owner; this keeps the role while a copy of this database is there
grant usage on schema access to market_deploy;

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

create table api.watchlist (
    tenant_id integer not null references api.tenant on delete cascade,
    symbol text not null,
    primary key (tenant_id, symbol)
);
comment on table api.watchlist is 'One row per symbol that a tenant follows.';
comment on column api.watchlist.tenant_id is 'Whose it is; by default the asking login''s tenant.';
comment on column api.watchlist.symbol is 'Instrument, market.instrument.';

create table api.prediction (
    tenant_id integer not null references api.tenant on delete cascade,
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

create table api.api_key (
    key_id uuid primary key default gen_random_uuid(),
    tenant_id integer not null references api.tenant on delete cascade,
    login name not null references access.login on delete cascade,
    description text not null,
    salt bytea not null check (octet_length(salt) = 16),
    hash bytea not null check (octet_length(hash) = 32),
    created_at timestamptz not null default now(),
    expires_at timestamptz check (expires_at > created_at),
    revoked_at timestamptz
);
comment on table api.api_key is
'One row per key that a tenant''s programs show to the feature API. The key itself is not kept.';
comment on column api.api_key.key_id is 'First part of the key; no secret.';
comment on column api.api_key.tenant_id is 'Whose it is.';
comment on column api.api_key.login is 'Role that made it, and that the API takes on for it.';
comment on column api.api_key.description is 'What it is for.';
comment on column api.api_key.salt is 'Random bytes of this key alone.';
comment on column api.api_key.hash is
'SHA-256 of salt and secret. The secret is 244 random bits, so that a slow hash gains nothing.';
comment on column api.api_key.created_at is 'When it was made.';
comment on column api.api_key.expires_at is 'From when it is refused; NULL: never.';
comment on column api.api_key.revoked_at is 'When it was revoked; NULL: it was not.';

create table api.access_log (
    accessed_at timestamptz not null default clock_timestamp(),
    tenant_id integer not null references api.tenant on delete cascade,
    login name not null,
    statement text not null check (statement <> ''),
    row_count bigint check (row_count >= 0)
);
create index access_log_by_tenant on api.access_log (tenant_id, accessed_at);
comment on table api.access_log is
'One row per statement that the feature API ran for a tenant. Logins of their own are in the '
'server''s log: see access.set_tenant().';
comment on column api.access_log.accessed_at is 'When it was run, by the server''s clock.';
comment on column api.access_log.tenant_id is 'For whom.';
comment on column api.access_log.login is 'As which role.';
comment on column api.access_log.statement is 'What was asked for.';
comment on column api.access_log.row_count is 'Rows that it gave; NULL: it failed.';

do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'tenant', 'entitlement', 'watchlist', 'prediction', 'api_key', 'access_log'
    ] loop
        execute format('alter table api.%I enable row level security', v_table);
        execute format('alter table api.%I force row level security', v_table);
        -- forced, so the owner, and with it the functions of api, needs a policy too
        execute format(
            'create policy owner_all on api.%I to market_owner using (true) with check (true)',
            v_table
        );
        execute format(
            'create policy reader_all on api.%I for select to market_reader using (true)', v_table
        );
    end loop;
end
$$;
grant select on api.tenant, api.entitlement, api.watchlist, api.prediction, api.access_log
to market_tenant, market_reader;
grant select (key_id, tenant_id, login, description, created_at, expires_at, revoked_at)
on api.api_key to market_tenant, market_reader;
grant insert, delete on api.watchlist to market_tenant;
-- a prediction and what was read stay as they were written, at the time that the server says
grant insert (tenant_id, model, symbol, as_of, value, feature_hash)
on api.prediction to market_tenant;
grant insert (statement, row_count) on api.access_log to market_tenant;
