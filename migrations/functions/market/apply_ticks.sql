create or replace function market.apply_ticks(p_kind text, p_values text)
returns table (ordinal bigint, outcome text)
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        i.ordinal,
        i.outcome
    from market.insert_ticks(p_kind, p_values) as i;

    -- Corrections and cancels are rare, and each can depend on the one before: one after another.
    for ordinal in execute format(
        'select i.ordinal from pg_temp.%I as i where i.action <> ''new'' order by i.ordinal',
        'incoming_' || p_kind
    ) loop
        outcome := market.amend_tick(p_kind, p_values, ordinal);
        if outcome <> 'applied' then
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
