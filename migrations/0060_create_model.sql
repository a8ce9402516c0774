-- depends: 0059_create_generation
-- purpose: which models serve, what each prediction was made of, and what became of it
-- lock: access exclusive on api.prediction, which is written once; on audit.event, which is read
create schema model authorization market_owner;
comment on schema model is
'Models: versions, which of them serve, labels of their predictions, and how well they do. No '
'tenant has a grant here.';
set local role market_owner;
grant usage on schema model to market_reader, market_pool;
alter default privileges in schema model grant select on tables to market_reader;

create table model.version (
    model text not null check (model ~ '^[a-z][a-z0-9_]{0,62}$'),
    version integer not null check (version > 0),
    tenant_id integer not null check (tenant_id > 0),
    run_id text not null check (run_id <> ''),
    card jsonb not null,
    registered_at timestamptz not null default clock_timestamp(),
    registered_by name not null default session_user,
    primary key (model, version)
);
comment on table model.version is
'One row per version of a model that was registered, model.register(). Append-only.';
comment on column model.version.model is 'Name of the model.';
comment on column model.version.version is 'Its number, as the registry counts: from 1.';
comment on column model.version.tenant_id is 'Whose features it learned from, market.tenant.';
comment on column model.version.run_id is 'Run of MLflow that made it.';
comment on column model.version.card is
'What model.json of its bundle says: columns, label, thresholds, the distribution that it learned '
'from; docs/predictions.md.';
comment on column model.version.registered_at is 'When, by the server''s clock.';
comment on column model.version.registered_by is 'The login that registered it.';
-- the router reads what it serves
grant select on model.version to market_pool;

create table model.promotion (
    promotion_id bigint generated always as identity primary key,
    model text not null,
    alias text not null check (alias in ('champion', 'canary', 'shadow')),
    version integer,
    promoted_at timestamptz not null default clock_timestamp(),
    promoted_by name not null default session_user,
    reason text not null check (reason <> ''),
    evidence jsonb not null default '{}',
    foreign key (model, version) references model.version
);
comment on table model.promotion is
'One row each time that an alias of a model came to a version, or was taken away. Append-only; '
'model.alias is what holds.';
comment on column model.promotion.promotion_id is 'Grows: the last one of an alias holds.';
comment on column model.promotion.model is 'Name of the model.';
comment on column model.promotion.alias is
'champion answers; canary answers a share; shadow is asked beside them and answers nobody.';
comment on column model.promotion.version is 'To which version, model.version; NULL: to none.';
comment on column model.promotion.promoted_at is 'When, by the server''s clock.';
comment on column model.promotion.promoted_by is 'The login that promoted it.';
comment on column model.promotion.reason is 'Why, for people.';
comment on column model.promotion.evidence is 'What it was decided on: metrics, checks.';

create table model.rollout (
    rollout_id bigint generated always as identity primary key,
    model text not null check (model ~ '^[a-z][a-z0-9_]{0,62}$'),
    canary_share double precision not null check (canary_share between 0 and 1),
    changed_at timestamptz not null default clock_timestamp(),
    changed_by name not null default session_user
);
comment on table model.rollout is
'One row each time that the share of a model''s canary was set. Append-only; model.canary_share is '
'what holds.';
comment on column model.rollout.rollout_id is 'Grows: the last one of a model holds.';
comment on column model.rollout.model is 'Name of the model.';
comment on column model.rollout.canary_share is
'Share of pairs of tenant and symbol that the canary answers, from 0 to 1.';
comment on column model.rollout.changed_at is 'When, by the server''s clock.';
comment on column model.rollout.changed_by is 'The login that set it.';

alter table api.prediction
add column prediction_id uuid not null default gen_random_uuid(),
add column version integer check (version > 0),
add column alias text check (alias in ('champion', 'canary', 'shadow')),
add column route text check (route in ('champion', 'canary', 'fallback')),
add column inputs jsonb check (jsonb_typeof(inputs) = 'object'),
add column latency_ms double precision check (latency_ms >= 0),
add column shadow_version integer check (shadow_version > 0),
add column shadow_value double precision,
add column logged_by name,
drop constraint prediction_pkey,
-- a tenant's own: a number that it chooses says nothing of another's, and takes none from it
add primary key (tenant_id, prediction_id);
create index prediction_by_question on api.prediction (tenant_id, model, symbol, as_of);
-- written in the order of time
create index prediction_by_moment on api.prediction using brin (predicted_at);
comment on table api.prediction is
'One row per prediction that a tenant''s model made, or that it was served.';
comment on column api.prediction.model is
'Name of the model; of one that is not in model.version, its version too.';
comment on column api.prediction.as_of is
'Moment whose features it was made from; the newest one, where its sets of features have several.';
comment on column api.prediction.feature_hash is
'What ties it to what was known. Of a served one the SHA-256 of its row of numbers, which '
'model.replay() finds again; else feature_pit_hash() of its features. NULL: not kept.';
comment on column api.prediction.prediction_id is
'What it is known by, to its tenant; whoever serves it may choose it.';
comment on column api.prediction.version is
'Version that made the value, model.version; NULL: not served, or of before there were versions.';
comment on column api.prediction.alias is 'What that version was then; NULL: see version.';
comment on column api.prediction.route is
'How it was chosen: champion, canary, or fallback: another did not answer. NULL: see version.';
comment on column api.prediction.inputs is
'Per set of features the moment that was asked (as_of) and the generation of its log, with '
'tenant_id where the features are of a dataset of another. NULL: see version.';
comment on column api.prediction.latency_ms is
'From the question to the score, in milliseconds; NULL: not measured.';
comment on column api.prediction.shadow_version is
'Version that was asked beside it; NULL: none was.';
comment on column api.prediction.shadow_value is 'What that one said; NULL: it said nothing.';
comment on column api.prediction.logged_by is
'The login that wrote it: a tenant''s own, or the router''s. NULL: of before it was noted.';
-- not of what is there: nobody knows who wrote it
alter table api.prediction alter column logged_by set default session_user;
grant insert (
    prediction_id, version, alias, route, inputs, latency_ms, shadow_version, shadow_value
)
on api.prediction to market_tenant;

create table model.label (
    model text not null,
    version integer not null,
    tenant_id integer not null,
    symbol text not null,
    as_of timestamptz not null,
    value double precision not null,
    known_at timestamptz not null,
    noted_at timestamptz not null default clock_timestamp(),
    primary key (model, version, tenant_id, symbol, as_of),
    foreign key (model, version) references model.version
);
comment on table model.label is
'One row per question that a version answered and whose outcome came to be known, '
'model.note_labels(). What was known first stays.';
comment on column model.label.model is 'Name of the model.';
comment on column model.label.version is 'Version whose label it is: of its card.';
comment on column model.label.tenant_id is 'Whose prediction it was.';
comment on column model.label.symbol is 'Instrument, market.instrument.';
comment on column model.label.as_of is 'Moment of the features, api.prediction.';
comment on column model.label.value is 'What came, in the label''s unit: 1 or 0 of a class.';
comment on column model.label.known_at is 'From when it could be known.';
comment on column model.label.noted_at is 'When it was noted.';

create table model.label_wait (
    model text not null,
    version integer not null,
    tenant_id integer not null,
    symbol text not null,
    as_of timestamptz not null,
    source_tenant_id integer not null,
    queued_at timestamptz not null default clock_timestamp(),
    due_at timestamptz not null,
    tries integer not null default 0,
    primary key (model, version, tenant_id, symbol, as_of),
    foreign key (model, version) references model.version
);
create index label_wait_by_due on model.label_wait (due_at);
comment on table model.label_wait is
'A queue: one row per question that a version answered and whose label is not known yet.';
comment on column model.label_wait.model is 'Name of the model.';
comment on column model.label_wait.version is 'Version whose label it is.';
comment on column model.label_wait.tenant_id is 'Whose prediction it was.';
comment on column model.label_wait.symbol is 'Instrument, market.instrument.';
comment on column model.label_wait.as_of is 'Moment of the features, api.prediction.';
comment on column model.label_wait.source_tenant_id is
'Whose features and ticks they were, model.source_tenant().';
comment on column model.label_wait.queued_at is 'Since when; thirty days at most.';
comment on column model.label_wait.due_at is
'When to ask for it next: the label''s horizon after as_of, later each time that it is not there.';
comment on column model.label_wait.tries is 'How often it was asked for.';

create table model.label_clock (
    only_row boolean primary key default true check (only_row),
    seen_to timestamptz not null
);
comment on table model.label_clock is
'No row, or one: how far model.note_labels() has read.';
comment on column model.label_clock.only_row is 'Always true.';
comment on column model.label_clock.seen_to is
'Predictions made before it, by api.prediction.predicted_at, are in the queue.';

create table model.label_run (
    model text not null,
    version integer not null,
    tenant_id integer not null,
    began_at timestamptz not null,
    ended_at timestamptz,
    failures integer not null default 0,
    sqlstate text,
    message text,
    primary key (model, version, tenant_id),
    foreign key (model, version) references model.version
);
comment on table model.label_run is
'One row per version and tenant whose label was asked for: how the last run of its SQL went.';
comment on column model.label_run.model is 'Name of the model.';
comment on column model.label_run.version is 'Version whose label it is.';
comment on column model.label_run.tenant_id is 'Whose predictions were asked for.';
comment on column model.label_run.began_at is 'When it began.';
comment on column model.label_run.ended_at is 'When it ended; NULL: it runs, or was ended before.';
comment on column model.label_run.failures is
'How often in a row it failed; its questions wait, and others come first.';
comment on column model.label_run.sqlstate is
'Code of the error, 57014 where it did not end; NULL: it went well.';
comment on column model.label_run.message is 'What the database said; NULL: it went well.';

alter table audit.event
drop constraint event_kind_check,
add constraint event_kind_check
check (kind in ('entitlement', 'role', 'contract', 'reference', 'ddl', 'backfill', 'model'));
comment on column audit.event.kind is
'entitlement, role, contract, reference, ddl, backfill or model.';
