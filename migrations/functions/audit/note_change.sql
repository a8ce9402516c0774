-- depends: functions/audit/record_net_change functions/audit/row_key
create or replace function audit.note_change() returns trigger
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

create or replace trigger audit_change
after insert or update or delete or truncate on market.tenant
for each statement execute function audit.note_change('entitlement');

create or replace trigger audit_change
after insert or update or delete or truncate on market.contract
for each statement execute function audit.note_change('contract');

create or replace trigger audit_change
after insert or update or delete or truncate on market.feature_set
for each statement execute function audit.note_change('contract');

-- rows that were there before become the chain's first events
insert into audit.last_recorded (relation, kind, key_columns)
values
('market.tenant', 'entitlement', array['tenant_id']),
('market.contract', 'contract', array['feature_set', 'ordinal']),
('market.feature_set', 'contract', array['feature_set'])
on conflict (relation) do nothing;

-- of a database from before there were sets of features
update audit.last_recorded as l
set
    key_columns = array['feature_set', 'ordinal'],
    content = (
        select
            coalesce(
                jsonb_object_agg(
                    audit.row_key(
                        '{"feature_set": "market_1m"}'::jsonb || c.value,
                        array['feature_set', 'ordinal']
                    )::text,
                    c.value
                ),
                '{}'
            )
        from jsonb_each(l.content) as c
    )
where l.relation = 'market.contract' and l.key_columns = array['ordinal'];
