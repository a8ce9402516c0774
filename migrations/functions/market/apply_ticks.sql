create or replace function market.apply_ticks(p_kind text, p_values text)
returns table (ordinal bigint, outcome text, was jsonb)
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
declare
    c_locks constant integer := 256;
    v_amended bigint[];
    v_round bigint[];
begin
    for ordinal, outcome, was in
        select
            i.ordinal,
            i.outcome,
            i.was
        from market.insert_ticks(p_kind, p_values) as i
    loop
        if outcome = 'amended' then
            v_amended := v_amended || ordinal;
        else
            return next;
        end if;
    end loop;

    -- one session at a time for a series with corrections; locks are taken in their order
    execute format(
        $q$
            select pg_advisory_xact_lock($1, l.lock)
            from (
                select distinct abs(hashtext(concat_ws(' ', i.tenant_id, i.symbol)) %% $2) as lock
                from pg_temp.%I as i
                where i.action <> 'new' or i.ordinal = any($3)
                order by lock
            ) as l
        $q$,
        'incoming_' || p_kind
    ) using format('market.%s_event', p_kind)::regclass::oid::integer, c_locks, v_amended;

    -- an event of a key can depend on the one before: the first ones of all keys, the second ones
    for v_round in execute format(
        $q$
            select array_agg(r.ordinal)
            from (
                select
                    i.ordinal,
                    row_number() over (
                        partition by i.tenant_id, i.symbol, i.ts, i.seq order by i.ordinal
                    ) as round
                from pg_temp.%I as i
                where i.action <> 'new' or i.ordinal = any($1)
            ) as r
            group by r.round
            order by r.round
        $q$,
        'incoming_' || p_kind
    ) using v_amended loop
        return query
        select
            e.ordinal,
            e.outcome,
            e.was
        from market.apply_events(p_kind, p_values, v_round) as e
        where e.outcome <> 'applied';
    end loop;
    perform market.end_waits(p_kind, p_values);
end
$$;
revoke all on function market.apply_ticks(text, text) from public;
grant execute on function market.apply_ticks(text, text) to market_ingest;
comment on function market.apply_ticks(text, text) is
'Applies the caller''s temporary table incoming_<p_kind> to market.<p_kind>, '
'market.<p_kind>_superseded and market.<p_kind>_event. p_kind: trade, quote or bar. p_values: its '
'value columns, comma and space between. Called by apply_trades and its like.';
