-- loses: the audit chain and its head, which nothing makes again; export audit.event first
do $$
begin
    -- first: they would record into what the next statements drop
    drop event trigger if exists audit_ddl;
    drop event trigger if exists audit_drop;
end
$$;
drop trigger audit_change on feature.backfill_run;
drop trigger audit_update on feature.backfill_run;
drop trigger audit_truncate on feature.backfill_run;
drop trigger audit_change on market.contract;
drop trigger audit_change on market.tenant;
drop view audit.watched;
drop view audit.published_head;
drop function audit.verify(bigint, bytea);
drop table audit.last_recorded;
drop view audit.privilege;
drop function audit.record_ddl();
drop function audit.is_recorded(text, text, text);
drop function audit.record_net_change();
drop function audit.note_change();
drop function audit.record_change();
drop function audit.describe_change(jsonb, jsonb, jsonb);
drop function audit.row_key(jsonb, text[]);
drop function audit.key_columns(regclass);
drop function audit.record(text, text, text, jsonb);
drop function audit.event_hash(audit.event);
drop table audit.head;
drop table audit.event;
drop function audit.refuse_change();
drop schema audit;
