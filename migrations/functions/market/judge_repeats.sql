create or replace function market.judge_repeats(
    p_kind text, p_values text, p_ordinals bigint[]
) returns table (ordinal bigint, outcome text, was jsonb)
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
declare
    v_first timestamptz;
    v_last timestamptz;
begin
    -- chunks beyond these times are not touched
    execute format(
        'select min(ts), max(ts) from pg_temp.%I where ordinal = any($1)', 'incoming_' || p_kind
    ) into v_first, v_last using p_ordinals;

    return query execute format(
        $q$
            with amended as materialized (
                select distinct tenant_id, symbol, ts, seq
                from pg_temp.%2$I
                where action <> 'new'
            ),

            repeat as (
                select
                    i.ordinal,
                    a.seq is not null or t.seq is null or exists (
                        select from market.%3$I as s
                        where
                            (s.tenant_id, s.symbol, s.ts, s.seq)
                            = (i.tenant_id, i.symbol, i.ts, i.seq)
                    ) as is_amended,
                    row(%4$s) is not distinct from row(%5$s) as is_equal,
                    t.tick
                from unnest($1) as o (ordinal)
                inner join pg_temp.%2$I as i using (ordinal)
                left join amended as a using (tenant_id, symbol, ts, seq)
                left join lateral (
                    select c.seq, c as tick, %6$s
                    from market.%1$I as c
                    where
                        (c.tenant_id, c.symbol, c.ts, c.seq)
                        = (i.tenant_id, i.symbol, i.ts, i.seq)
                        and c.ts between $2 and $3
                    -- sought by the key: joined as a whole, all ticks would be read
                    offset 0
                ) as t on true
            )

            select
                r.ordinal,
                case
                    when r.is_amended then 'amended'
                    when r.is_equal then 'duplicate'
                    else 'conflict'
                end,
                case when not r.is_amended and not r.is_equal then to_jsonb(r.tick) end
            from repeat as r
        $q$,
        p_kind, 'incoming_' || p_kind, p_kind || '_event',
        't.' || replace(p_values, ', ', ', t.'), 'i.' || replace(p_values, ', ', ', i.'),
        p_values
    ) using p_ordinals, v_first, v_last;
end
$$;
revoke all on function market.judge_repeats(text, text, bigint[]) from public;
grant execute on function market.judge_repeats(text, text, bigint[]) to market_ingest;
comment on function market.judge_repeats(text, text, bigint[]) is
'Judges those new ticks of the caller''s temporary table incoming_<p_kind> whose key is taken, '
'p_ordinals: duplicate: the same values are there; conflict: other ones are (was); amended: the '
'key has corrections or cancels, whose order market.apply_events() knows. p_kind, p_values: as of '
'market.apply_ticks(). Step of market.insert_ticks().';
