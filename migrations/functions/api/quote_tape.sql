-- depends: views/api/quote
create or replace function api.quote_tape(p_since timestamptz, p_rows integer default 1)
returns setof api.quote
language sql stable strict parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select newest.*
    from (
        select
            q.tenant_id,
            q.symbol,
            q.ts,
            q.seq,
            q.bid,
            q.bid_size,
            q.ask,
            q.ask_size,
            q.known_at,
            q.source_topic,
            q.source_partition,
            q.source_offset
        from market.quote as q
        where
            q.tenant_id = any((select api.visible_tenants())::integer[])
            and q.ts >= p_since
        -- as the columnstore is ordered, so that it reads the newest batches only
        --   ("with ties" fails there: retrieved too many tuples in a bounded sort)
        order by q.ts desc, q.seq desc
        limit p_rows
    ) as newest
    order by
        newest.ts desc, newest.seq desc, newest.tenant_id asc, newest.symbol asc
$$;
revoke all on function api.quote_tape(timestamptz, integer) from public;
grant execute on function api.quote_tape(timestamptz, integer) to market_tenant;
comment on function api.quote_tape(timestamptz, integer) is
'The p_rows newest quotes, by ts and seq, of all symbols since p_since, newest first: rows of '
'api.quote. Of several with the last one''s ts and seq any may be given. A NULL argument: no rows. '
'Errors: a negative p_rows.';
