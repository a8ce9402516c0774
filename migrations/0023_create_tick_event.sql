-- depends: 0014_create_feature_log 0020_create_bar
-- purpose: all events of ticks that were ever corrected or cancelled, and of those whose correction
--   or cancel came first; what is believed, and was, is made from them. Those of before are made
--   from the versions that were replaced
-- lock: share row exclusive on market.trade, market.quote and their superseded tables while it runs
set local role market_owner;

lock table market.trade, market.trade_superseded, market.quote, market.quote_superseded
in share row exclusive mode;

do $migration$
declare
    v_kind record;
    v_column record;
begin
    for v_kind in
        select
            k.name,
            k.vals,
            'n.' || replace(k.vals, ', ', ', n.') as nexts,
            regexp_replace(k.vals, '(\w+)', 'lead(s.\1) over by_time as next_\1', 'g') as leads,
            regexp_replace(k.vals, '(\w+)', 'b.next_\1', 'g') as led,
            regexp_replace(k.vals, '\w+', 'null', 'g') as nulls
        from (
            values
            ('trade', 'price, size, side'),
            ('quote', 'bid, bid_size, ask, ask_size'),
            ('bar', 'open, high, low, close, volume, vwap')
        ) as k (name, vals)
    loop
        execute format(
            $q$
                create table market.%1$I (
                    like market.%2$I including comments,
                    event_no bigint generated always as identity primary key,
                    action text not null check (action in ('new', 'correction', 'cancel')),
                    waiting boolean not null,
                    received_at timestamptz not null default now()
                )
            $q$,
            v_kind.name || '_event', v_kind.name
        );
        -- of a cancel they are not looked at
        for v_column in
            select unnest(string_to_array(v_kind.vals, ', ')) as name
        loop
            execute format(
                'alter table market.%I alter column %I drop not null',
                v_kind.name || '_event', v_column.name
            );
        end loop;
        -- not a hypertable: corrections are rare, and every new tick is looked up here by its key
        execute format(
            'create index %1$s_event_key on market.%1$s_event (tenant_id, symbol, ts, seq)',
            v_kind.name
        );
        execute format(
            'create index %1$s_event_waiting on market.%1$s_event (received_at) where waiting',
            v_kind.name
        );
        execute format(
            'comment on table market.%1$s_event is %2$L',
            v_kind.name,
            format(
                'One row per event of a %1$s that was ever corrected or cancelled, or whose '
                'correction or cancel came first. The rows of such a %1$s in market.%1$s and '
                'market.%1$s_superseded are made from these. The values of a cancel are NULL.',
                v_kind.name
            )
        );
        for v_column in
            select
                c.name,
                c.said
            from (
                values
                ('event_no', 'Order of arrival.'),
                ('action', 'new, correction or cancel.'),
                ('known_at', 'Knowledge time: when this system could first have used it.'),
                ('waiting', 'Whether its ' || v_kind.name || ' has not come yet.'),
                ('received_at', 'When it was stored.')
            ) as c (name, said)
        loop
            execute format(
                'comment on column market.%I.%I is %L',
                v_kind.name || '_event', v_column.name, v_column.said
            );
        end loop;

        -- The first version of a key is the new tick's, the others are corrections'; what ended
        -- one is a correction or a cancel.
        execute format(
            $q$
                with belief as (
                    select
                        s.*,
                        row_number() over by_time as place,
                        lead(s.known_at) over by_time as next_known_at,
                        %4$s
                    from market.%1$s_superseded as s
                    window by_time as (
                        partition by s.tenant_id, s.symbol, s.ts, s.seq
                        order by s.known_at, s.superseded_at
                    )
                ),

                event as (
                    select
                        b.tenant_id, b.symbol, b.ts, b.seq, 'new' as action, %2$s, b.known_at,
                        b.source_topic, b.source_partition, b.source_offset, 0 as place
                    from belief as b
                    where b.place = 1
                    union all
                    select
                        b.tenant_id, b.symbol, b.ts, b.seq, 'correction', %5$s, b.superseded_at,
                        b.superseded_topic, b.superseded_partition, b.superseded_offset, b.place
                    from belief as b
                    where b.cause = 'correction' and b.next_known_at is not null
                    union all
                    select
                        b.tenant_id, b.symbol, b.ts, b.seq, 'correction', %3$s, b.superseded_at,
                        b.superseded_topic, b.superseded_partition, b.superseded_offset, b.place
                    from belief as b
                    cross join lateral (
                        select *
                        from market.%1$s as t
                        where
                            (t.tenant_id, t.symbol, t.ts, t.seq)
                            = (b.tenant_id, b.symbol, b.ts, b.seq)
                        offset 0
                    ) as n
                    where b.cause = 'correction' and b.next_known_at is null
                    union all
                    select
                        b.tenant_id, b.symbol, b.ts, b.seq, 'cancel', %6$s, b.superseded_at,
                        b.superseded_topic, b.superseded_partition, b.superseded_offset, b.place
                    from belief as b
                    where b.cause = 'cancel'
                )

                insert into market.%1$s_event (
                    tenant_id, symbol, ts, seq, action, %2$s, known_at,
                    source_topic, source_partition, source_offset, waiting, received_at
                )
                select
                    tenant_id, symbol, ts, seq, action, %2$s, known_at,
                    source_topic, source_partition, source_offset, false, known_at
                from event
                order by tenant_id, symbol, ts, seq, place
            $q$,
            v_kind.name, v_kind.vals, v_kind.nexts, v_kind.leads, v_kind.led, v_kind.nulls
        );
        execute format('grant select, insert, update on market.%s_event to market_ingest', v_kind.name);
        execute format('grant delete on market.%s_superseded to market_ingest', v_kind.name);
    end loop;
end
$migration$;

-- they return what a conflicting event contradicts, too
drop function if exists market.apply_trades();
drop function if exists market.apply_quotes();
drop function if exists market.apply_ticks(text, text);
drop function if exists market.insert_ticks(text, text);
