-- No set clause: the planner puts the formula into verify()'s own query.
create or replace function audit.event_hash(p_event audit.event) returns bytea
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
