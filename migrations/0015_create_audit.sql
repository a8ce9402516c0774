-- depends: 0002_create_roles
-- purpose: a hash chain of who changed entitlements, roles, the contract and the schema
-- lock: none, the tables are new
create schema audit authorization market_owner;
comment on schema audit is
'Who changed what, when and from where: a hash chain that is only added to. See docs/audit.md.';

set local role market_owner;

create table audit.event (
    seq bigint primary key check (seq > 0),
    recorded_at timestamptz not null,
    actor name not null,
    acting_as name not null,
    client inet,
    application text not null,
    kind text not null check (kind in ('entitlement', 'role', 'contract', 'ddl', 'backfill')),
    action text not null check (action <> ''),
    object text not null check (object <> ''),
    detail jsonb not null,
    previous_hash bytea not null check (octet_length(previous_hash) = 32),
    hash bytea not null check (octet_length(hash) = 32)
);
comment on table audit.event is
'The chain: one row per recorded change, append-only. audit.verify() finds what was altered.';
comment on column audit.event.seq is
'Place in the chain, from 1, without gaps: what a rolled-back transaction recorded is not missed.';
comment on column audit.event.recorded_at is
'When it was recorded, by the server''s clock; visible with the commit.';
comment on column audit.event.actor is 'The login, session_user.';
comment on column audit.event.acting_as is
'The role that the login had taken on with SET ROLE, else the login.';
comment on column audit.event.client is 'Address of the client; NULL: a local socket, or a job.';
comment on column audit.event.application is
'application_name, as the client says; a hint, not evidence.';
comment on column audit.event.kind is 'entitlement, role, contract, ddl or backfill.';
comment on column audit.event.action is
'insert, update, delete or truncate; of ddl the command, for example ALTER TABLE.';
comment on column audit.event.object is 'What was changed, for example market.tenant.';
comment on column audit.event.detail is
'Of a row: key, and the values before (old) and after (new), of an update only those that '
'changed. Of ddl: objects or dropped, and the statement if it stood alone. Else as the caller of '
'audit.record() gave it.';
comment on column audit.event.previous_hash is
'hash of the event before; 32 zero bytes for the first.';
comment on column audit.event.hash is
'audit.event_hash() of this row: SHA-256 of previous_hash and all the other columns.';

create table audit.head (
    only_row boolean primary key default true check (only_row),
    seq bigint not null,
    hash bytea not null
);
comment on table audit.head is
'One row: the end of the chain. Its lock puts the writers in order, until each commits.';
comment on column audit.head.only_row is 'Always true.';
comment on column audit.head.seq is 'seq of the last event; 0 before the first.';
comment on column audit.head.hash is 'hash of the last event; 32 zero bytes before the first.';

insert into audit.head (seq, hash) values (0, decode(repeat('00', 32), 'hex'));

-- "dbt seed" truncates a table and fills it again, whether or not a line has changed. So a seeded
--   table is compared, when the transaction commits, with what was recorded of it last, and the
--   difference is recorded. What changed unseen (a disabled trigger) comes to light with the next
--   change.
create table audit.last_recorded (
    relation text primary key,
    kind text not null,
    key_columns text[],
    content jsonb not null default '{}',
    changes bigint not null default 0
);
comment on table audit.last_recorded is
'One row per relation whose net change of a transaction is recorded: its content at the last '
'comparison.';
comment on column audit.last_recorded.relation is 'Name with schema.';
comment on column audit.last_recorded.kind is 'audit.event.kind of its changes.';
comment on column audit.last_recorded.key_columns is 'What names a row; NULL: all its columns.';
comment on column audit.last_recorded.content is 'Its rows, key -> row.';
comment on column audit.last_recorded.changes is
'Number of statements that may have changed it; each asks for a comparison at commit.';

grant usage on schema audit to market_operator;
grant select on audit.event to market_operator;
