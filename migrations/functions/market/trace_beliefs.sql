create or replace function market.trace_beliefs(
    p_kind text, p_values text, p_events bigint[]
) returns table (
    key_no bigint,
    event_no bigint,
    known_at timestamptz,
    superseded_at timestamptz,
    cause text,
    superseded_by bigint
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    return query execute format(
        $q$
            with event as (
                select
                    k.event_no as key_no,
                    s.*,
                    row_number() over (
                        partition by k.event_no
                        order by s.action <> 'new', s.known_at, s.event_no
                    ) = 1 and s.action = 'new' as is_tick
                from unnest($1) as o (event_no)
                inner join market.%1$I as k using (event_no)
                cross join lateral (
                    select *
                    from market.%1$I as e
                    where
                        (e.tenant_id, e.symbol, e.ts, e.seq)
                        = (k.tenant_id, k.symbol, k.ts, k.seq)
                    offset 0
                ) as s
            ),

            -- the tick, and the others in the order of their knowledge: nothing is known of it
            -- before itself
            placed as (
                select
                    e.key_no,
                    e.event_no,
                    e.action,
                    row(e.action = 'cancel', %2$s) as state,
                    greatest(
                        e.known_at,
                        min(e.known_at) filter (where e.is_tick) over (partition by e.key_no)
                    ) as since,
                    bool_or(e.is_tick) over (partition by e.key_no) as has_tick,
                    row_number() over (
                        partition by e.key_no
                        order by
                            e.is_tick desc, e.known_at,
                            array_position(array['new', 'correction', 'cancel'], e.action),
                            e.event_no
                    ) as place
                from event as e
            ),

            bounded as (
                select
                    p.*,
                    lead(p.since) over by_place is distinct from p.since as is_last,
                    lag(p.since) over by_place is distinct from p.since as is_first,
                    coalesce(lag(p.action) over by_place = 'cancel', true) as is_opening
                from placed as p
                where p.has_tick
                window by_place as (partition by p.key_no order by p.place)
            ),

            -- Of one moment the last event counts; and the first one where nothing was believed
            -- before: what has been told of it gets an end.
            counted as (
                select
                    b.*,
                    lag(b.state) over (partition by b.key_no order by b.place)
                    is distinct from b.state as is_change
                from bounded as b
                where b.is_last or b.is_first and b.is_opening
            ),

            belief as (
                select
                    c.key_no,
                    c.event_no,
                    c.action,
                    c.since,
                    lead(c.since) over by_place as superseded_at,
                    lead(c.action) over by_place as replaced_by,
                    lead(c.event_no) over by_place as superseded_by
                from counted as c
                where c.is_change
                window by_place as (partition by c.key_no order by c.place)
            )

            select
                b.key_no,
                b.event_no,
                b.since,
                coalesce(b.superseded_at, 'infinity'),
                case when b.replaced_by = 'cancel' then 'cancel' else 'correction' end,
                b.superseded_by
            from belief as b
            where b.action <> 'cancel'
        $q$,
        p_kind || '_event', 'e.' || replace(p_values, ', ', ', e.')
    ) using p_events;
end
$$;
revoke all on function market.trace_beliefs(text, text, bigint[]) from public;
grant execute on function market.trace_beliefs(text, text, bigint[]) to market_ingest;
comment on function market.trace_beliefs(text, text, bigint[]) is
'What is and was believed, made from the events in market.<p_kind>_event: the rule is in '
'docs/ingest.md. p_events: numbers of events, one of each key. One row per belief of these keys: '
'key_no, the one of p_events; event_no, the event whose values it has; known_at and superseded_at, '
'infinity: it is believed now; cause and superseded_by, the event that ended it. No row while a '
'tick has not come. p_kind, p_values: as of market.apply_ticks().';
