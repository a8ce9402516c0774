create or replace function feature.first_tick(
    p_from timestamptz, p_to timestamptz
) returns timestamptz
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_quoted constant text[] := array(
        select i.symbol from market.instrument as i where i.bars_from = 'quote'
    );
begin
    -- each in the order of its chunks, of which the first that has one is enough
    return (
        select min(d.ts)
        from (
            (
                select t.ts from market.trade as t
                where t.ts >= p_from and t.ts < p_to
                order by t.ts
                limit 1
            )
            union all
            (
                select min(t.ts) from market.trade_superseded as t
                where t.ts >= p_from and t.ts < p_to
            )
            union all
            -- of no such instrument, and no quote is looked at
            (
                select q.ts from market.quote as q
                where
                    cardinality(v_quoted) > 0
                    and q.symbol = any(v_quoted)
                    and q.ts >= p_from
                    and q.ts < p_to
                order by q.ts
                limit 1
            )
            union all
            (
                select min(q.ts) from market.quote_superseded as q
                where q.symbol = any(v_quoted) and q.ts >= p_from and q.ts < p_to
            )
        ) as d
    );
end
$$;
revoke all on function feature.first_tick(timestamptz, timestamptz) from public;
grant execute on function feature.first_tick(timestamptz, timestamptz) to market_operator;
comment on function feature.first_tick(timestamptz, timestamptz) is
'The first ts in [p_from, p_to) of a tick that may make a bar, one that was corrected or cancelled '
'included; NULL: there is none. For feature.backfill().';
