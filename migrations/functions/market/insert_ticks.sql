create or replace function market.insert_ticks(p_kind text, p_values text)
returns table (ordinal bigint, outcome text, was jsonb)
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
declare
    c_key constant text := 'tenant_id, symbol, ts, seq';
    c_source constant text := 'known_at, source_topic, source_partition, source_offset';
    v_columns constant text := concat_ws(', ', c_key, p_values, c_source);
    v_left bigint[];
    v_first timestamptz;
    v_last timestamptz;
begin
    execute format(
        $q$
            with inserted as (
                insert into market.%1$I (%2$s)
                select %2$s
                from pg_temp.%3$I as i
                where
                    i.action = 'new'
                    and not exists (
                        select from market.%4$I as s
                        where
                            (s.tenant_id, s.symbol, s.ts, s.seq)
                            = (i.tenant_id, i.symbol, i.ts, i.seq)
                    )
                order by i.ordinal
                on conflict (%5$s) do nothing
                returning %5$s
            ),

            new_event as (
                select
                    %5$s,
                    ordinal,
                    row_number() over (partition by %5$s order by ordinal) as occurrence
                from pg_temp.%3$I
                where action = 'new'
            )

            select
                array_agg(n.ordinal) filter (where k.seq is null or n.occurrence > 1),
                min(n.ts),
                max(n.ts)
            from new_event as n
            left join inserted as k using (%5$s)
        $q$,
        p_kind, v_columns, 'incoming_' || p_kind, p_kind || '_event', c_key
    ) into v_left, v_first, v_last;
    if v_first is null then
        return;
    end if;

    -- One that was cancelled while the insert waited for that: each statement sees what was
    -- committed before it, so this one sees the cancel, and leaves to it what must not come back.
    -- Chunks beyond these times are not touched: a job that converts one holds up nobody, and what
    -- waits for the other would be a deadlock.
    return query execute format(
        $q$
            delete from market.%1$I as t
            using pg_temp.%2$I as i, market.%3$I as s
            where
                i.action = 'new'
                and t.ts between $2 and $3
                and not coalesce(i.ordinal = any($1), false)
                and (s.tenant_id, s.symbol, s.ts, s.seq) = (i.tenant_id, i.symbol, i.ts, i.seq)
                and (t.tenant_id, t.symbol, t.ts, t.seq) = (i.tenant_id, i.symbol, i.ts, i.seq)
                and (t.source_topic, t.source_partition, t.source_offset)
                = (i.source_topic, i.source_partition, i.source_offset)
            returning i.ordinal, 'amended', null::jsonb
        $q$,
        p_kind, 'incoming_' || p_kind, p_kind || '_event'
    ) using v_left, v_first, v_last;

    if v_left is not null then
        return query
        select
            j.ordinal,
            j.outcome,
            j.was
        from market.judge_repeats(p_kind, p_values, v_left) as j;
    end if;
end
$$;
revoke all on function market.insert_ticks(text, text) from public;
grant execute on function market.insert_ticks(text, text) to market_ingest;
comment on function market.insert_ticks(text, text) is
'Inserts the new ticks of the caller''s temporary table incoming_<p_kind> whose key was not there '
'and has no events. Returns the others: ordinal, and outcome: duplicate; conflict, with the values '
'that are there (was); or amended: for market.apply_events(). p_kind, p_values: as of '
'market.apply_ticks().';
