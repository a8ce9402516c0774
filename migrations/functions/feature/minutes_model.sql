create or replace function feature.minutes_model(p_set text) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select 'stg_' || s.made_of || '__' || case s.grain
        when '5 minutes' then '5m'
        when '15 minutes' then '15m'
        when '1 hour' then '1h'
        else s.grain
    end
    from market.feature_set as s
    where s.feature_set = p_set and s.made_of <> 'tick'
$$;
revoke all on function feature.minutes_model(text) from public;
comment on function feature.minutes_model(text) is
'The staging model whose minutes the bars of the set p_set are made of, in whose place publishes '
'and backfills put theirs: as stg_market_1m__session. NULL of a set that is made of ticks.';
