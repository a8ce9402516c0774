create or replace function feature.bars_before(
    p_tenant_id integer, p_symbol text, p_before timestamptz, p_bars integer
) returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    c_minute constant interval := interval '1 minute';
    v_bars_from constant text := market.bars_from(p_symbol);
    v_bucket timestamptz := p_before;
begin
    for v_bar in 1 .. p_bars loop
        if v_bars_from = 'quote' then
            v_bucket := (
                select date_bin(c_minute, q.ts, c_origin)
                from market.quote as q
                where
                    q.tenant_id = p_tenant_id
                    and q.symbol = p_symbol
                    and q.ts < v_bucket
                    and q.known_at <= date_bin(c_minute, q.ts, c_origin) + c_minute
                    -- those of market.mid_1m
                    and q.bid > 0
                    and q.ask between q.bid and 2 * q.bid
                order by q.ts desc
                limit 1
            );
        elsif v_bars_from = 'bar' then
            v_bucket := (
                select b.ts
                from market.bar as b
                where
                    b.tenant_id = p_tenant_id
                    and b.symbol = p_symbol
                    and b.ts < v_bucket
                    and b.known_at <= b.ts + c_minute
                order by b.ts desc
                limit 1
            );
        else
            v_bucket := (
                select date_bin(c_minute, t.ts, c_origin)
                from market.trade as t
                where
                    t.tenant_id = p_tenant_id
                    and t.symbol = p_symbol
                    and t.ts < v_bucket
                    and t.known_at <= date_bin(c_minute, t.ts, c_origin) + c_minute
                order by t.ts desc
                limit 1
            );
        end if;
        exit when v_bucket is null;
    end loop;
    return coalesce(v_bucket, '-infinity');
end
$$;
revoke all on function feature.bars_before(integer, text, timestamptz, integer) from public;
comment on function feature.bars_before(integer, text, timestamptz, integer) is
'Bucket of the p_bars-th bar before p_before among those that were there as soon as they closed '
'and still are: between it and p_before there are as many bars at any knowledge time. -infinity '
'when there are fewer.';
