create or replace function market.apply_events(
    p_kind text, p_values text, p_ordinals bigint[]
) returns table (ordinal bigint, outcome text, was jsonb)
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_key constant text := 'tenant_id, symbol, ts, seq';
    c_source constant text := 'source_topic, source_partition, source_offset';
    v_again bigint[];
    v_ordinals bigint[];
    v_events bigint[];
    v_waiting bigint[];
    v_first timestamptz;
    v_last timestamptz;
begin
    -- chunks beyond these times are not touched
    execute format(
        'select min(ts), max(ts) from pg_temp.%I where ordinal = any($1)', 'incoming_' || p_kind
    ) into v_first, v_last using p_ordinals;

    -- the first event of a key: the tick, as it is in its table
    execute format(
        $q$
            insert into market.%2$I (%3$s, action, %4$s, known_at, %5$s, waiting)
            select t.%6$s, 'new', t.%7$s, t.known_at, t.%8$s, false
            from pg_temp.%9$I as i
            cross join lateral (
                select *
                from market.%1$I as c
                where
                    (c.tenant_id, c.symbol, c.ts, c.seq) = (i.tenant_id, i.symbol, i.ts, i.seq)
                    and c.ts between $2 and $3
                -- sought by the key: joined as a whole, all ticks would be read
                offset 0
            ) as t
            where
                i.ordinal = any($1)
                and not exists (
                    select from market.%2$I as s
                    where
                        (s.tenant_id, s.symbol, s.ts, s.seq)
                        = (i.tenant_id, i.symbol, i.ts, i.seq)
                        and s.action = 'new'
                )
        $q$,
        p_kind, p_kind || '_event', c_key, p_values, c_source, replace(c_key, ', ', ', t.'),
        replace(p_values, ', ', ', t.'), replace(c_source, ', ', ', t.'), 'incoming_' || p_kind
    ) using p_ordinals, v_first, v_last;

    for ordinal, outcome, was in
        select
            j.ordinal,
            j.outcome,
            j.was
        from market.judge_events(p_kind, p_values, p_ordinals) as j
    loop
        v_again := v_again || ordinal;
        return next;
    end loop;

    execute format(
        $q$
            with added as (
                insert into market.%2$I (%3$s, action, %4$s, known_at, %5$s, waiting)
                select
                    i.%6$s, i.action, %7$s,
                    -- what comes in one batch has one reading of the clock
                    case
                        when i.own_clock
                            then greatest(i.known_at, s.known_at + interval '1 microsecond')
                        else i.known_at
                    end,
                    i.%8$s,
                    i.action <> 'new' and not coalesce(s.has_tick, false)
                from pg_temp.%1$I as i
                left join lateral (
                    select
                        max(e.known_at) as known_at,
                        bool_or(e.action = 'new') as has_tick
                    from market.%2$I as e
                    where
                        (e.tenant_id, e.symbol, e.ts, e.seq)
                        = (i.tenant_id, i.symbol, i.ts, i.seq)
                ) as s on true
                where i.ordinal = any($1) and not coalesce(i.ordinal = any($2), false)
                order by i.ordinal
                returning %3$s, event_no, waiting
            )

            select
                array_agg(i.ordinal order by a.event_no),
                array_agg(a.event_no order by a.event_no),
                array_agg(i.ordinal) filter (where a.waiting)
            from added as a
            inner join pg_temp.%1$I as i using (%3$s)
            where i.ordinal = any($1)
        $q$,
        'incoming_' || p_kind, p_kind || '_event', c_key, p_values, c_source,
        replace(c_key, ', ', ', i.'),
        -- a cancel's values are not looked at
        regexp_replace(p_values, '(\w+)', 'case when i.action <> ''cancel'' then i.\1 end', 'g'),
        replace(c_source, ', ', ', i.')
    ) into v_ordinals, v_events, v_waiting using p_ordinals, v_again;

    return query
    select
        n.ordinal,
        case
            when n.ordinal = any(v_waiting) then 'waiting'
            when c.event_no is null then 'duplicate'
            else 'applied'
        end,
        null::jsonb
    from unnest(v_ordinals, v_events) as n (ordinal, event_no)
    left join market.believe_events(p_kind, p_values, v_events) as c using (event_no);
end
$$;
revoke all on function market.apply_events(text, text, bigint[]) from public;
grant execute on function market.apply_events(text, text, bigint[]) to market_ingest;
comment on function market.apply_events(text, text, bigint[]) is
'Applies the events p_ordinals of the caller''s temporary table incoming_<p_kind>, one of each '
'key, whose key has corrections or cancels. Returns each with its outcome: applied: what is or was '
'believed has changed; duplicate; conflict, with the values that are there (was); or waiting: a '
'correction or cancel whose tick has not come. p_kind, p_values: as of market.apply_ticks().';
