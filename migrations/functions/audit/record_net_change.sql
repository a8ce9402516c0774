create or replace function audit.record_net_change() returns trigger
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

-- a constraint trigger cannot be replaced
drop trigger if exists net_change on audit.last_recorded;
create constraint trigger net_change
after insert or update of changes on audit.last_recorded
deferrable initially deferred
for each row execute function audit.record_net_change();
