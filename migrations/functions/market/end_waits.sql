create or replace function market.end_waits(p_kind text, p_values text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_events bigint[];
    v_first timestamptz;
    v_last timestamptz;
begin
    execute format(
        'select min(ts), max(ts) from market.%I'
        ' where waiting and received_at > now() - interval ''1 hour''',
        p_kind || '_event'
    ) into v_first, v_last;
    if v_first is null then
        return;
    end if;

    -- Another session inserted the tick while this one, or yet another, did not see it and let its
    -- correction wait: who comes next sees both. So long, no transaction lasts.
    execute format(
        $q$
            with arrived as (
                select distinct on (w.tenant_id, w.symbol, w.ts, w.seq)
                    w.event_no,
                    t.*
                from market.%2$I as w
                cross join lateral (
                    select *
                    from market.%1$I as c
                    where
                        (c.tenant_id, c.symbol, c.ts, c.seq) = (w.tenant_id, w.symbol, w.ts, w.seq)
                        -- chunks beyond these times are not touched
                        and c.ts between $1 and $2
                    offset 0
                ) as t
                where w.waiting and w.received_at > now() - interval '1 hour'
            ),

            remembered as (
                insert into market.%2$I (
                    tenant_id, symbol, ts, seq, action, %3$s, known_at,
                    source_topic, source_partition, source_offset, waiting
                )
                select
                    tenant_id, symbol, ts, seq, 'new', %3$s, known_at,
                    source_topic, source_partition, source_offset, false
                from arrived
            )

            select array_agg(event_no)
            from arrived
        $q$,
        p_kind, p_kind || '_event', p_values
    ) into v_events using v_first, v_last;
    if v_events is not null then
        perform market.believe_events(p_kind, p_values, v_events);
    end if;
end
$$;
revoke all on function market.end_waits(text, text) from public;
grant execute on function market.end_waits(text, text) to market_ingest;
comment on function market.end_waits(text, text) is
'Applies the corrections and cancels of the last hour that wait although their tick is there: two '
'sessions brought them at the same moment. p_kind, p_values: as of market.apply_ticks(). Its last '
'step.';
