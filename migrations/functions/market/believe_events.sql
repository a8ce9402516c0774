create or replace function market.believe_events(
    p_kind text, p_values text, p_events bigint[]
) returns table (event_no bigint)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_compared constant text := concat_ws(', ', p_values, 'known_at', 'superseded_at', 'cause');
    v_changed bigint[];
    v_ended bigint[];
    v_begun bigint[];
    v_since timestamptz[];
    v_first timestamptz;
    v_last timestamptz;
begin
    -- chunks beyond these times are not touched
    execute format(
        'select min(ts), max(ts) from market.%I where event_no = any($1)', p_kind || '_event'
    ) into v_first, v_last using p_events;

    -- only what differs is touched: what the triggers note is published again
    execute format(
        $q$
            with belief as materialized (
                select
                    b.*, e.tenant_id, e.symbol, e.ts, e.seq, %4$s,
                    e.source_topic, e.source_partition, e.source_offset
                from market.trace_beliefs(%1$L, %5$L, $1) as b
                inner join market.%3$I as e using (event_no)
            ),

            -- a tick that has come was believed; where it has not, no row is touched
            there as materialized (
                select
                    k.event_no as key_no,
                    s.*
                from market.%3$I as k
                cross join lateral (
                    select c.ctid as place, c.known_at, c.superseded_at, c.cause, %5$s
                    from market.%2$I as c
                    where (c.tenant_id, c.symbol, c.ts, c.seq) = (k.tenant_id, k.symbol, k.ts, k.seq)
                    union all
                    select null, c.known_at, 'infinity', 'correction', %5$s
                    from market.%1$I as c
                    where
                        (c.tenant_id, c.symbol, c.ts, c.seq)
                        = (k.tenant_id, k.symbol, k.ts, k.seq)
                        and c.ts between $2 and $3
                    -- sought by the key: joined as a whole, all ticks would be read
                    offset 0
                ) as s
                where k.event_no = any($1) and k.event_no in (select key_no from belief)
            ),

            gone as materialized (
                select t.*
                from there as t
                where not exists (
                    select from belief as b
                    where t.key_no = b.key_no and row(%6$s) is not distinct from row(%7$s)
                )
            ),

            come as materialized (
                select b.*
                from belief as b
                where not exists (
                    select from there as t
                    where t.key_no = b.key_no and row(%6$s) is not distinct from row(%7$s)
                )
            ),

            arrived as (
                update market.%3$I as s
                set waiting = false
                from market.%3$I as k
                where
                    k.event_no = any($1)
                    and k.event_no in (select key_no from belief)
                    and (s.tenant_id, s.symbol, s.ts, s.seq) = (k.tenant_id, k.symbol, k.ts, k.seq)
                    and s.waiting
            ),

            dropped as (
                delete from market.%2$I where ctid = any(array(select place from gone))
            ),

            added as (
                insert into market.%2$I (
                    tenant_id, symbol, ts, seq, %5$s, known_at,
                    source_topic, source_partition, source_offset, superseded_at, cause,
                    superseded_topic, superseded_partition, superseded_offset
                )
                select
                    b.tenant_id, b.symbol, b.ts, b.seq, %8$s, b.known_at,
                    b.source_topic, b.source_partition, b.source_offset, b.superseded_at, b.cause,
                    o.source_topic, o.source_partition, o.source_offset
                from come as b
                inner join market.%3$I as o on b.superseded_by = o.event_no
            )

            select
                array(select key_no from gone union select key_no from come),
                array(select key_no from gone where place is null),
                array(select event_no from come where superseded_by is null order by event_no),
                array(select known_at from come where superseded_by is null order by event_no)
        $q$,
        p_kind, p_kind || '_superseded', p_kind || '_event',
        'e.' || replace(p_values, ', ', ', e.'), p_values,
        't.' || replace(v_compared, ', ', ', t.'), 'b.' || replace(v_compared, ', ', ', b.'),
        'b.' || replace(p_values, ', ', ', b.')
    ) into v_changed, v_ended, v_begun, v_since using p_events, v_first, v_last;

    perform market.replace_ticks(p_kind, p_values, v_ended, v_begun, v_since);
    return query
    select n.event_no
    from unnest(v_changed) as n (event_no);
end
$$;
revoke all on function market.believe_events(text, text, bigint[]) from public;
grant execute on function market.believe_events(text, text, bigint[]) to market_ingest;
comment on function market.believe_events(text, text, bigint[]) is
'Makes the rows in market.<p_kind> and market.<p_kind>_superseded what market.trace_beliefs() '
'says, and ends the wait of the events whose tick is there. Returns those of p_events whose rows '
'changed. Arguments: as there.';
