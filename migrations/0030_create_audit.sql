-- depends: 0002_create_reference 0020_create_backfill
-- purpose: a hash chain of who changed entitlements, roles, the contract and the schema
-- lock: share row exclusive on market.tenant, market.contract and feature.backfill_run, an instant
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

create function audit.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception 'audit.event is append-only: % refused', tg_op
        using errcode = 'object_not_in_prerequisite_state',
        hint = 'What was recorded stays. Add a correcting event with audit.record().';
end
$$;
revoke all on function audit.refuse_change() from public;
comment on function audit.refuse_change() is
'Trigger of audit.event: refuses UPDATE, DELETE and TRUNCATE to everyone, its owner included. '
'Errors: 55000, always.';

create trigger event_is_append_only
before update or delete or truncate on audit.event
for each statement execute function audit.refuse_change();

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

-- No set clause: the planner puts the formula into verify()'s own query.
create function audit.event_hash(p_event audit.event) returns bytea
language sql stable parallel safe
as $$
    select pg_catalog.sha256(p_event.previous_hash || pg_catalog.convert_to(
        pg_catalog.jsonb_build_array(
            p_event.seq,
            extract(epoch from p_event.recorded_at)::text,
            p_event.actor::text,
            p_event.acting_as::text,
            p_event.client::text,
            p_event.application,
            p_event.kind,
            p_event.action,
            p_event.object,
            p_event.detail
        )::text,
        'UTF8'
    ))
$$;
revoke all on function audit.event_hash(audit.event) from public;
comment on function audit.event_hash(audit.event) is
'SHA-256 of previous_hash followed by the UTF-8 text of the JSON array [seq, recorded_at, actor, '
'acting_as, client, application, kind, action, object, detail], as jsonb writes it: one text per '
'value, with keys in order. recorded_at is in seconds since 1970 with six decimals, as text, so '
'that no setting of the session changes it.';

create function audit.record(
    p_kind text, p_action text, p_object text, p_detail jsonb default '{}'
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_event audit.event;
begin
    -- the lock keeps the chain in one line; seq comes from here and not from a sequence, which
    --   would leave a gap for each rollback
    select h.seq + 1, h.hash
    into v_event.seq, v_event.previous_hash
    from audit.head as h
    for update;
    if not found then
        raise exception 'audit.head has lost its row: nothing can be recorded'
            using errcode = 'data_corrupted',
            hint = 'Run select * from audit.verify(), and see docs/audit.md.';
    end if;
    v_event.recorded_at := clock_timestamp();
    v_event.actor := session_user;
    -- current_user is this function's owner here; the setting is what SET ROLE left
    v_event.acting_as := coalesce(nullif(current_setting('role'), 'none'), session_user);
    v_event.client := inet_client_addr();
    v_event.application := current_setting('application_name');
    v_event.kind := p_kind;
    v_event.action := p_action;
    v_event.object := p_object;
    v_event.detail := coalesce(p_detail, '{}');
    v_event.hash := audit.event_hash(v_event);
    insert into audit.event (
        seq, recorded_at, actor, acting_as, client, application, kind, action, object, detail,
        previous_hash, hash
    )
    select v_event.*;
    update audit.head set seq = v_event.seq, hash = v_event.hash;
    return v_event.seq;
end
$$;
revoke all on function audit.record(text, text, text, jsonb) from public;
comment on function audit.record(text, text, text, jsonb) is
'Adds one event to the chain, in the caller''s transaction, and returns its seq. p_kind: '
'entitlement, role, contract, ddl or backfill. p_action, p_object: what was done to what. '
'p_detail: anything more; never a password. The actor is session_user, which only a superuser '
'can change. acting_as knows SET ROLE; it cannot know the owner of a security definer function '
'that called this one, for which the actor answers. Other writers wait until the transaction '
'ends: record late in it. Errors: 23514 for an unknown kind, 23502 for NULL, 40001 in '
'repeatable read when another has recorded meanwhile: run it again; XX001 when audit.head is '
'empty.';

create function audit.key_columns(p_relation regclass) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(a.attname::text)
    from pg_index as i
    inner join pg_attribute as a on i.indrelid = a.attrelid and a.attnum = any(i.indkey)
    where i.indrelid = p_relation and i.indisprimary
$$;
revoke all on function audit.key_columns(regclass) from public;
comment on function audit.key_columns(regclass) is
'Columns of the primary key of p_relation; NULL without one.';

create function audit.row_key(p_row jsonb, p_columns text[]) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(jsonb_object_agg(c.column_name, p_row -> c.column_name), p_row)
    from unnest(p_columns) as c (column_name)
$$;
revoke all on function audit.row_key(jsonb, text[]) from public;
comment on function audit.row_key(jsonb, text[]) is
'p_row cut down to the columns p_columns; without any, the whole row.';

create function audit.describe_change(p_key jsonb, p_old jsonb, p_new jsonb) returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_object_agg(d.part, d.content)
    from (
        values
        ('key', p_key),
        (
            'old',
            (
                select jsonb_object_agg(o.key, o.value)
                from jsonb_each(p_old) as o
                where p_new is null or o.value is distinct from p_new -> o.key
            )
        ),
        (
            'new',
            (
                select jsonb_object_agg(n.key, n.value)
                from jsonb_each(p_new) as n
                where p_old is null or n.value is distinct from p_old -> n.key
            )
        )
    ) as d (part, content)
    where d.content is not null
$$;
revoke all on function audit.describe_change(jsonb, jsonb, jsonb) from public;
comment on function audit.describe_change(jsonb, jsonb, jsonb) is
'audit.event.detail of a changed row: its key, the values before and after; of an update only '
'those that changed. p_old: NULL for an insert; p_new: NULL for a delete.';

create function audit.record_change() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_old jsonb;
    v_new jsonb;
begin
    if tg_op in ('UPDATE', 'DELETE') then
        v_old := to_jsonb(old);
    end if;
    if tg_op in ('INSERT', 'UPDATE') then
        v_new := to_jsonb(new);
    end if;
    if tg_op = 'TRUNCATE' or v_old is distinct from v_new then
        perform audit.record(
            tg_argv[0],
            lower(tg_op),
            format('%I.%I', tg_table_schema, tg_table_name),
            audit.describe_change(
                audit.row_key(coalesce(v_new, v_old), audit.key_columns(tg_relid)), v_old, v_new
            )
        );
    end if;
    return null;
end
$$;
revoke all on function audit.record_change() from public;
comment on function audit.record_change() is
'Trigger after a row''s insert, update or delete, or a statement''s truncate: records each as an '
'event of the kind that is the trigger''s argument. For tables that are not refilled; see '
'audit.note_change().';

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

create function audit.note_change() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into audit.last_recorded (relation, kind, key_columns)
    values (
        format('%I.%I', tg_table_schema, tg_table_name), tg_argv[0], audit.key_columns(tg_relid)
    )
    on conflict (relation) do update set changes = last_recorded.changes + 1;
    return null;
end
$$;
revoke all on function audit.note_change() from public;
comment on function audit.note_change() is
'Trigger after a statement, for small tables that are emptied and refilled, as by "dbt seed": '
'has the net change of the transaction recorded at commit, as events of the kind that is the '
'trigger''s argument. Two transactions that change the same table run one after another.';

create function audit.record_net_change() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_last audit.last_recorded;
    v_now jsonb := '{}';
    v_row record;
begin
    select l.* into v_last from audit.last_recorded as l where l.relation = new.relation;
    -- one comparison for all statements: the last one's
    if v_last.changes is distinct from new.changes then
        return null;
    end if;
    if to_regclass(v_last.relation) is not null then
        execute format(
            'select coalesce(
                jsonb_object_agg(audit.row_key(to_jsonb(t), $1)::text, to_jsonb(t)), $2
            )
            from %s as t',
            v_last.relation
        ) into v_now using v_last.key_columns, v_now;
    end if;
    for v_row in
        select
            coalesce(o.key, n.key)::jsonb as key,
            o.value as was,
            n.value as now
        from jsonb_each(v_last.content) as o
        full join jsonb_each(v_now) as n on o.key = n.key
        where o.value is distinct from n.value
        order by coalesce(o.key, n.key)
    loop
        perform audit.record(
            v_last.kind,
            case
                when v_row.was is null then 'insert' when v_row.now is null then 'delete'
                else 'update'
            end,
            v_last.relation,
            audit.describe_change(v_row.key, v_row.was, v_row.now)
        );
    end loop;
    update audit.last_recorded as l set content = v_now
    where l.relation = v_last.relation and l.content <> v_now;
    return null;
end
$$;
revoke all on function audit.record_net_change() from public;
comment on function audit.record_net_change() is
'Trigger of audit.last_recorded, at commit: records how the relation differs from its content at '
'the last comparison, one event per row.';

create constraint trigger net_change
after insert or update of changes on audit.last_recorded
deferrable initially deferred
for each row execute function audit.record_net_change();

create trigger audit_change
after insert or update or delete or truncate on market.tenant
for each statement execute function audit.note_change('entitlement');

create trigger audit_change
after insert or update or delete or truncate on market.contract
for each statement execute function audit.note_change('contract');

-- begin and end of a run, and what is altered by hand; not its progress
create trigger audit_change
after insert or delete on feature.backfill_run
for each row execute function audit.record_change('backfill');

create trigger audit_update
after update on feature.backfill_run
for each row
when (
    (old.run_id, old.range_from, old.range_to, old.started_at, old.finished_at)
    is distinct from (new.run_id, new.range_from, new.range_to, new.started_at, new.finished_at)
)
execute function audit.record_change('backfill');

create trigger audit_truncate
after truncate on feature.backfill_run
for each statement execute function audit.record_change('backfill');

-- An event trigger is not told which object a GRANT was about: the rights themselves are compared.
--   Left out: dbt's views, which every "dbt run" makes anew and gives their rights.
create view audit.privilege as
select
    o.object,
    (
        select array_agg(i.item::text order by i.item::text)
        from unnest(o.acl) as i (item)
    ) as acl
from (
    select
        c.relnamespace as namespace_oid,
        'relation ' || c.oid::regclass::text as object,
        c.relacl as acl
    from pg_class as c
    where c.relkind <> 'v' or pg_get_userbyid(c.relowner) = 'market_owner'
    union all
    select
        c.relnamespace as namespace_oid,
        format('column %s.%I', c.oid::regclass, a.attname) as object,
        a.attacl as acl
    from pg_attribute as a
    inner join pg_class as c on a.attrelid = c.oid
    where
        (c.relkind <> 'v' or pg_get_userbyid(c.relowner) = 'market_owner')
        and not a.attisdropped
    union all
    select
        p.pronamespace as namespace_oid,
        'function ' || p.oid::regprocedure::text as object,
        p.proacl as acl
    from pg_proc as p
    union all
    select
        s.oid as namespace_oid,
        'schema ' || quote_ident(s.nspname) as object,
        s.nspacl as acl
    from pg_namespace as s
    union all
    select
        d.defaclnamespace as namespace_oid,
        format(
            'default of %s in %s for %s',
            d.defaclrole::regrole, d.defaclnamespace::regnamespace, d.defaclobjtype
        ) as object,
        d.defaclacl as acl
    from pg_default_acl as d
) as o
inner join pg_namespace as n on o.namespace_oid = n.oid
where o.acl is not null and n.nspname in ('market', 'feature', 'audit', 'access', 'api');
comment on view audit.privilege is
'One row per object of the schemas market, feature, audit, access and api that somebody was given '
'rights to, or refused them, other than dbt''s views. What GRANT and REVOKE change of it is '
'recorded at commit.';
comment on column audit.privilege.object is 'Type and name.';
comment on column audit.privilege.acl is 'The rights, as PostgreSQL writes aclitem, sorted.';

create function audit.is_recorded(
    p_type text, p_schema text, p_identity text
) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when p_type = 'schema' then p_identity in ('market', 'feature', 'audit', 'access', 'api')
        when p_schema = 'public' then p_type in ('function', 'procedure')
        when p_schema = 'feature' then p_type not in ('view', 'view column')
        else coalesce(p_schema in ('market', 'audit', 'access', 'api'), false)
    end
$$;
revoke all on function audit.is_recorded(text, text, text) from public;
comment on function audit.is_recorded(text, text, text) is
'Whether DDL on an object is recorded, by what the event trigger is told of it.';

create function audit.record_ddl() returns event_trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_verb constant text := split_part(tg_tag, ' ', 1);
    v_objects jsonb;
    v_names text;
begin
    if tg_tag in ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES') then
        update audit.last_recorded as l set changes = l.changes + 1
        where l.relation = 'audit.privilege';
        return;
    end if;
    -- Left out: what is temporary, an extension's or TimescaleDB's own, yoyo's tables in public,
    --   and feature's views, which every "dbt run" makes anew.
    if tg_event = 'sql_drop' then
        select
            jsonb_agg(jsonb_build_object('type', d.object_type, 'object', d.object_identity)),
            string_agg(d.object_identity, ', ')
        into v_objects, v_names
        from pg_event_trigger_dropped_objects() as d
        where
            (d.original or d.normal)
            and not d.is_temporary
            and audit.is_recorded(d.object_type, d.schema_name, d.object_identity);
    else
        select
            jsonb_agg(jsonb_build_object('type', c.object_type, 'object', c.object_identity)),
            string_agg(distinct c.object_identity, ', ')
        into v_objects, v_names
        from pg_event_trigger_ddl_commands() as c
        where
            not c.in_extension
            and audit.is_recorded(c.object_type, c.schema_name, c.object_identity);
    end if;
    if v_objects is not null then
        perform audit.record('ddl', tg_tag, v_names, jsonb_strip_nulls(jsonb_build_object(
            case tg_event when 'sql_drop' then 'dropped' else 'objects' end,
            v_objects,
            'statement',
            -- only of a statement that is this command and nothing else: what stands around it, or
            --   a function's body, might hold a password
            substring(current_query() from format('(?i)^\s*(%s\s[^;]*);?\s*$', v_verb))
        )));
    end if;
end
$$;
revoke all on function audit.record_ddl() from public;
comment on function audit.record_ddl() is
'Event trigger: records what a command made, altered or dropped in this project''s schemas, one '
'event per command. GRANT and REVOKE: see audit.privilege. PostgreSQL has no such trigger for '
'roles and databases: who makes them calls audit.record().';

create function audit.verify(
    p_published_seq bigint default null, p_published_hash bytea default null
) returns table (seq bigint, problem text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_nothing constant bytea := decode(repeat('00', 32), 'hex');
begin
    if (p_published_seq is null) <> (p_published_hash is null) then
        raise exception 'only one of p_published_seq and p_published_hash was given'
            using errcode = 'null_value_not_allowed',
            hint = 'Give both, as audit.published_head showed them, or neither.';
    end if;

    return query
    with link as (
        select
            e.seq,
            e.previous_hash,
            e.hash,
            audit.event_hash(e) as computed_hash,
            lag(e.seq, 1, 0::bigint) over by_seq as last_seq,
            lag(e.hash, 1, c_nothing) over by_seq as last_hash
        from audit.event as e
        window by_seq as (order by e.seq)
    ),

    tail as (
        select
            e.seq,
            e.hash
        from audit.event as e
        order by e.seq desc
        limit 1
    )

    select
        l.seq,
        case
            when l.computed_hash is distinct from l.hash
                then 'altered: its hash is not that of its columns'
            when l.seq <> l.last_seq + 1
                then format('missing before it: %s to %s', l.last_seq + 1, l.seq - 1)
            else 'not linked: its previous_hash is not the hash of the event before'
        end
    from link as l
    where
        l.computed_hash is distinct from l.hash
        or l.seq <> l.last_seq + 1
        or l.previous_hash is distinct from l.last_hash
    union all
    select
        h.seq,
        case
            when h.seq > coalesce(t.seq, 0)
                then format('missing at the end: %s to %s', coalesce(t.seq, 0) + 1, h.seq)
            else 'audit.head is not the end of the chain'
        end
    from (select) as always
    left join audit.head as h on true
    left join tail as t on true
    where (h.seq, h.hash) is distinct from (coalesce(t.seq, 0), coalesce(t.hash, c_nothing))
    union all
    select
        p_published_seq,
        'rewritten or cut: the published event is not in the chain'
    where
        not (p_published_seq = 0 and p_published_hash = c_nothing)
        and not exists (
            select from audit.event as e
            where e.seq = p_published_seq and e.hash = p_published_hash
        );
end
$$;
revoke all on function audit.verify(bigint, bytea) from public;
comment on function audit.verify(bigint, bytea) is
'What is wrong with the chain; no rows when it is whole. p_published_seq, p_published_hash: a head '
'that was published earlier (decode(hash, ''hex'')), which the chain must still contain; without '
'them a rewrite of the whole chain and its head is not seen. Columns: seq, where; problem, what. '
'Reads the chain once, in one snapshot. Errors: 22004 when only one of the two is given.';

create view audit.published_head as
select
    h.seq,
    encode(h.hash, 'hex') as hash,
    e.recorded_at
from audit.head as h
left join audit.event as e on h.seq = e.seq;
comment on view audit.published_head is
'The end of the chain, to be kept where this server''s superuser cannot write. See docs/audit.md.';
comment on column audit.published_head.seq is 'seq of the last event; 0: none yet.';
comment on column audit.published_head.hash is 'Its hash, hexadecimal.';
comment on column audit.published_head.recorded_at is 'When it was recorded; NULL: none yet.';

create view audit.watched as
select
    t.tgrelid::regclass::text as object,
    t.tgname::text as by_trigger,
    t.tgenabled in ('O', 'A') as is_watched,
    format('alter table %s enable trigger %I', t.tgrelid::regclass, t.tgname) as remedy
from pg_trigger as t
inner join pg_proc as p on t.tgfoid = p.oid
inner join pg_namespace as n on p.pronamespace = n.oid
where n.nspname = 'audit' and not t.tgisinternal
union all
select
    'ddl' as object,
    w.trigger_name as by_trigger,
    coalesce(e.evtenabled in ('O', 'A'), false) as is_watched,
    case
        when e.oid is not null then format('alter event trigger %I enable', w.trigger_name)
        else format(
            'as superuser: create event trigger %I on %s execute function audit.record_ddl()',
            w.trigger_name,
            w.event_name
        )
    end as remedy
from (
    values
    ('audit_ddl', 'ddl_command_end'),
    ('audit_drop', 'sql_drop')
) as w (trigger_name, event_name)
left join pg_event_trigger as e on w.trigger_name = e.evtname;
comment on view audit.watched is 'One row per trigger that feeds or guards the chain.';
comment on column audit.watched.object is 'The table, or ddl.';
comment on column audit.watched.by_trigger is 'Name of the trigger.';
comment on column audit.watched.is_watched is
'False: missing or disabled, and what happens is not recorded.';
comment on column audit.watched.remedy is 'Statement that turns it on.';

-- what is there already: rights are taken as they are, rows become the chain's first events
insert into audit.last_recorded (relation, kind, key_columns, content)
select
    'audit.privilege' as relation,
    'ddl' as kind,
    array['object'] as key_columns,
    coalesce(
        jsonb_object_agg(
            audit.row_key(to_jsonb(p), array['object'])::text, to_jsonb(p)
        ),
        '{}'
    ) as content
from audit.privilege as p;
insert into audit.last_recorded (relation, kind, key_columns)
values
('market.tenant', 'entitlement', array['tenant_id']),
('market.contract', 'contract', array['ordinal']);

reset role;
do $$
begin
    create event trigger audit_ddl on ddl_command_end execute function audit.record_ddl();
    create event trigger audit_drop on sql_drop execute function audit.record_ddl();
exception
    when insufficient_privilege then
        raise warning 'DDL is not recorded: only a superuser can create event triggers'
            using hint = 'Let one run the statements of: select remedy from audit.watched.';
end
$$;
