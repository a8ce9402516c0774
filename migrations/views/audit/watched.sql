create or replace view audit.watched as
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
grant select on audit.watched to market_operator;
comment on view audit.watched is 'One row per trigger that feeds or guards the chain.';
comment on column audit.watched.object is 'The table, or ddl.';
comment on column audit.watched.by_trigger is 'Name of the trigger.';
comment on column audit.watched.is_watched is
'False: missing or disabled, and what happens is not recorded.';
comment on column audit.watched.remedy is 'Statement that turns it on.';
