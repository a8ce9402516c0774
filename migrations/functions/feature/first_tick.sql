-- depends: functions/market/bars_made_from functions/market/tick_kinds
create or replace function feature.first_tick(
    p_from timestamptz, p_to timestamptz
) returns timestamptz
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind text;
    v_symbols text[];
    v_first timestamptz;
begin
    foreach v_kind in array market.tick_kinds() loop
        v_symbols := market.bars_made_from(v_kind);
        continue when cardinality(v_symbols) = 0;
        -- each in the order of its chunks, of which the first that has one is enough
        execute format(
            $q$
                select least(
                    $4,
                    (
                        select t.ts from market.%1$I as t
                        where ($1 is null or t.symbol = any($1)) and t.ts >= $2 and t.ts < $3
                        order by t.ts
                        limit 1
                    ),
                    (
                        select min(t.ts) from market.%2$I as t
                        where ($1 is null or t.symbol = any($1)) and t.ts >= $2 and t.ts < $3
                    )
                )
            $q$,
            v_kind, v_kind || '_superseded'
        ) into v_first using v_symbols, p_from, p_to, v_first;
    end loop;
    return v_first;
end
$$;
revoke all on function feature.first_tick(timestamptz, timestamptz) from public;
grant execute on function feature.first_tick(timestamptz, timestamptz) to market_operator;
comment on function feature.first_tick(timestamptz, timestamptz) is
'The first ts in [p_from, p_to) of a tick that may make a bar, one that was corrected or cancelled '
'included; NULL: there is none. For feature.backfill().';
