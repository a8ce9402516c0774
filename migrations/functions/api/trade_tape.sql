-- depends: views/api/trade
create or replace function api.trade_tape(p_since timestamptz, p_rows integer default 1)
returns setof api.trade
language sql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select newest.*
    from (
        select
            t.tenant_id,
            t.symbol,
            t.ts,
            t.seq,
            t.price,
            t.size,
            t.side,
            t.known_at,
            t.source_topic,
            t.source_partition,
            t.source_offset
        from market.trade as t
        where
            t.tenant_id = any((select api.visible_tenants())::integer[])
            and t.ts >= p_since
        -- as the columnstore is ordered, so that it reads the newest batches only
        --   ("with ties" fails there: retrieved too many tuples in a bounded sort)
        order by t.ts desc, t.seq desc
        limit p_rows
    ) as newest
    order by
        newest.ts desc, newest.seq desc, newest.tenant_id asc, newest.symbol asc
$$;
revoke all on function api.trade_tape(timestamptz, integer) from public;
grant execute on function api.trade_tape(timestamptz, integer) to market_tenant;
comment on function api.trade_tape(timestamptz, integer) is
'The p_rows newest trades, by ts and seq, of all symbols since p_since, newest first: rows of '
'api.trade. Of several with the last one''s ts and seq any may be given. A NULL argument: no rows. '
'Errors: a negative p_rows.';
