create or replace function market.judge_events(
    p_kind text, p_values text, p_ordinals bigint[]
) returns table (ordinal bigint, outcome text, was jsonb)
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
begin
    -- A cancel between two new ticks of one key separates them: the second one is a reinstatement.
    return query execute format(
        $q$
            with said as (
                select
                    i.ordinal,
                    i.own_clock,
                    i.known_at as again_at,
                    i.action = 'cancel' or row(%3$s) is not distinct from row(%4$s) as is_equal,
                    s as event,
                    s.*,
                    least(
                        i.known_at,
                        min(s.known_at) filter (where s.action = 'new')
                        over (partition by i.ordinal)
                    ) as first_at
                from pg_temp.%1$I as i
                cross join lateral (
                    select *
                    from market.%2$I as e
                    where
                        (e.tenant_id, e.symbol, e.ts, e.seq)
                        = (i.tenant_id, i.symbol, i.ts, i.seq)
                    offset 0
                ) as s
                where i.ordinal = any($1) and s.action = i.action
            )

            select distinct on (s.ordinal)
                s.ordinal,
                case when s.is_equal then 'duplicate' else 'conflict' end,
                case when not s.is_equal then to_jsonb(s.event) end
            from said as s
            where
                case
                    when s.own_clock and s.is_equal then true
                    when s.action <> 'new' then not s.own_clock and s.known_at = s.again_at
                    else not exists (
                        select from market.%2$I as c
                        where
                            (c.tenant_id, c.symbol, c.ts, c.seq)
                            = (s.tenant_id, s.symbol, s.ts, s.seq)
                            and c.action = 'cancel'
                            and greatest(c.known_at, s.first_at) >= least(s.known_at, s.again_at)
                            and greatest(c.known_at, s.first_at) < greatest(s.known_at, s.again_at)
                    )
                end
            order by s.ordinal, s.is_equal desc, s.event_no
        $q$,
        'incoming_' || p_kind, p_kind || '_event',
        's.' || replace(p_values, ', ', ', s.'), 'i.' || replace(p_values, ', ', ', i.')
    ) using p_ordinals;
end
$$;
revoke all on function market.judge_events(text, text, bigint[]) from public;
grant execute on function market.judge_events(text, text, bigint[]) to market_ingest;
comment on function market.judge_events(text, text, bigint[]) is
'Those events p_ordinals of the caller''s temporary table incoming_<p_kind>, one of each key, that '
'were said before: outcome duplicate, with the same values, or conflict, with other ones (was). '
'The rule: docs/ingest.md. p_kind, p_values: as of market.apply_ticks(). Step of '
'market.apply_events().';
