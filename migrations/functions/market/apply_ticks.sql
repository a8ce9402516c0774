create or replace function market.apply_ticks(p_kind text, p_values text)
returns table (ordinal bigint, outcome text)
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
declare
    c_key constant text := 'tenant_id, symbol, ts, seq';
    c_source constant text := 'known_at, source_topic, source_partition, source_offset';
    v_columns constant text := concat_ws(', ', c_key, p_values, c_source);
    v_event record;
    v_outcome text;
begin
    -- A key that was ever superseded is not new: a repeated delivery must not undo a cancel.
    return query execute format(
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
                n.ordinal,
                'duplicate'
            from new_event as n
            left join inserted as k using (%5$s)
            where k.seq is null or n.occurrence > 1
        $q$,
        p_kind, v_columns, 'incoming_' || p_kind, p_kind || '_superseded', c_key
    );

    -- One that was cancelled while the insert waited for that: each statement sees what was
    -- committed before it, so this one sees the cancel, and undoes what it must not bring back.
    return query execute format(
        $q$
            delete from market.%1$I as t
            using pg_temp.%2$I as i, market.%3$I as s
            where
                i.action = 'new'
                and (s.tenant_id, s.symbol, s.ts, s.seq) = (i.tenant_id, i.symbol, i.ts, i.seq)
                and (t.tenant_id, t.symbol, t.ts, t.seq) = (i.tenant_id, i.symbol, i.ts, i.seq)
                and (t.source_topic, t.source_partition, t.source_offset)
                = (i.source_topic, i.source_partition, i.source_offset)
            returning i.ordinal, 'duplicate'
        $q$,
        p_kind, 'incoming_' || p_kind, p_kind || '_superseded'
    );

    -- Corrections and cancels are rare, and each can depend on the one before: one after another.
    for v_event in execute format(
        'select i.ordinal from pg_temp.%I as i where i.action <> ''new'' order by i.ordinal',
        'incoming_' || p_kind
    ) loop
        execute format(
            $q$
                with event as (
                    select * from pg_temp.%3$I where ordinal = $1
                ),

                replaced as (
                    delete from market.%1$I as t
                    using event as e
                    where
                        (t.tenant_id, t.symbol, t.ts, t.seq) = (e.tenant_id, e.symbol, e.ts, e.seq)
                        -- inserted just above although it was sent after this event
                        and not coalesce(
                            t.source_topic = e.source_topic
                            and t.source_partition = e.source_partition
                            and t.source_offset > e.source_offset, false
                        )
                        -- said again: the same values, known at the same moment
                        and not (
                            e.action = 'correction'
                            and row(t.known_at, %6$s) is not distinct from row(e.known_at, %7$s)
                        )
                    returning t.*
                ),

                kept as (
                    insert into market.%4$I (
                        %2$s, superseded_at, cause,
                        superseded_topic, superseded_partition, superseded_offset
                    )
                    select
                        %8$s,
                        greatest(r.known_at, e.known_at),
                        e.action,
                        e.source_topic,
                        e.source_partition,
                        e.source_offset
                    from replaced as r
                    cross join event as e
                    returning superseded_at
                )

                select case
                    when exists (select from kept) then 'applied'
                    when e.action = 'correction' and exists (
                        select from market.%1$I as t
                        where
                            (t.tenant_id, t.symbol, t.ts, t.seq)
                            = (e.tenant_id, e.symbol, e.ts, e.seq)
                            and row(t.known_at, %6$s) is not distinct from row(e.known_at, %7$s)
                    ) then 'duplicate'
                    when e.action = 'cancel' and exists (
                        select from market.%4$I as s
                        where
                            (s.tenant_id, s.symbol, s.ts, s.seq)
                            = (e.tenant_id, e.symbol, e.ts, e.seq)
                            and s.cause = 'cancel'
                    ) then 'duplicate'
                    else 'unknown_%1$s'
                end
                from event as e
            $q$,
            p_kind, v_columns, 'incoming_' || p_kind, p_kind || '_superseded', c_key,
            't.' || replace(p_values, ', ', ', t.'), 'e.' || replace(p_values, ', ', ', e.'),
            'r.' || replace(v_columns, ', ', ', r.')
        ) into v_outcome using v_event.ordinal;

        if v_outcome = 'applied' then
            -- knowledge never runs backwards, even where a capture clock does
            execute format(
                $q$
                    insert into market.%1$I (%2$s)
                    select
                        %3$s,
                        greatest(e.known_at, s.superseded_at),
                        e.source_topic,
                        e.source_partition,
                        e.source_offset
                    from pg_temp.%4$I as e
                    cross join lateral (
                        select max(p.superseded_at) as superseded_at
                        from market.%5$I as p
                        where
                            (p.tenant_id, p.symbol, p.ts, p.seq)
                            = (e.tenant_id, e.symbol, e.ts, e.seq)
                    ) as s
                    where e.ordinal = $1 and e.action = 'correction'
                $q$,
                p_kind, v_columns,
                'e.' || replace(concat_ws(', ', c_key, p_values), ', ', ', e.'),
                'incoming_' || p_kind, p_kind || '_superseded'
            ) using v_event.ordinal;
        else
            ordinal := v_event.ordinal;
            outcome := v_outcome;
            return next;
        end if;
    end loop;
end
$$;
revoke all on function market.apply_ticks(text, text) from public;
grant execute on function market.apply_ticks(text, text) to market_ingest;
comment on function market.apply_ticks(text, text) is
'Applies the caller''s temporary table incoming_<p_kind> to market.<p_kind> and '
'market.<p_kind>_superseded. p_kind: trade or quote. p_values: its value columns, comma and space '
'between. Called by apply_trades and apply_quotes.';
