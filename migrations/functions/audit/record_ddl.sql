-- depends: functions/audit/is_recorded functions/audit/record functions/audit/record_net_change
--   functions/audit/row_key views/audit/privilege
create or replace function audit.record_ddl() returns event_trigger
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

-- rights that are there already are taken as they are
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
from audit.privilege as p
on conflict (relation) do nothing;
reset role;
do $$
begin
    if not exists (select from pg_catalog.pg_event_trigger where evtname = 'audit_ddl') then
        create event trigger audit_ddl on ddl_command_end execute function audit.record_ddl();
    end if;
    if not exists (select from pg_catalog.pg_event_trigger where evtname = 'audit_drop') then
        create event trigger audit_drop on sql_drop execute function audit.record_ddl();
    end if;
exception
    when insufficient_privilege then
        raise warning 'DDL is not recorded: only a superuser can create event triggers'
            using hint = 'Let one run the statements of: select remedy from audit.watched.';
end
$$;
