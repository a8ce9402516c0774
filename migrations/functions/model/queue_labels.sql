-- depends: functions/model/source_tenant
create or replace function model.queue_labels(
    p_from timestamptz default null, p_to timestamptz default null
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    -- longer than a transaction that writes predictions is open
    c_overlap constant interval := interval '10 minutes';
    -- a label that did not come by then does not come by itself
    c_longest constant interval := interval '30 days';
    v_now constant timestamptz := clock_timestamp();
    v_from timestamptz := p_from;
    v_queued bigint;
begin
    if p_from is null then
        insert into model.label_clock (seen_to) values ('-infinity')
        on conflict (only_row) do nothing;
        select c.seen_to - c_overlap
        into strict v_from
        from model.label_clock as c
        for update;
        update model.label_clock set seen_to = v_now;
        delete from model.label_wait as w
        where w.queued_at < v_now - c_longest;
    end if;
    insert into model.label_wait (
        model, version, tenant_id, symbol, as_of, source_tenant_id, due_at
    )
    select
        q.model,
        q.version,
        q.tenant_id,
        q.symbol,
        q.as_of,
        model.source_tenant(q.tenant_id, q.symbol, q.inputs),
        q.as_of + make_interval(secs => (v.card #>> '{label,horizon_s}')::double precision)
    from (
        select distinct on (a.model, a.version, a.tenant_id, a.symbol, a.as_of) a.*
        from model.answer as a
        where
            a.predicted_at >= v_from
            and a.predicted_at < coalesce(p_to, 'infinity')
            and a.as_of between timestamptz '2000-01-01 00:00+00' and v_now
            and not exists (
                select from model.label as l
                where
                    l.model = a.model
                    and l.version = a.version
                    and l.tenant_id = a.tenant_id
                    and l.symbol = a.symbol
                    and l.as_of = a.as_of
            )
        order by a.model, a.version, a.tenant_id, a.symbol, a.as_of
    ) as q
    inner join model.version as v on q.model = v.model and q.version = v.version
    on conflict (model, version, tenant_id, symbol, as_of) do nothing;
    get diagnostics v_queued = row_count;
    return v_queued;
end
$$;
revoke all on function model.queue_labels(timestamptz, timestamptz) from public;
comment on function model.queue_labels(timestamptz, timestamptz) is
'Queues each question that was answered and has no label for model.note_labels(), due when its '
'horizon has passed; returns how many. p_from, p_to: of predictions written (predicted_at) from, '
'inclusive, to, exclusive; default all since the last call, and again those of ten minutes before '
'it. What has had no label for thirty days is given up: give the range to ask for it once more.';
