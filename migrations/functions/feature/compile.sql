-- depends: functions/feature/check_formula functions/feature/define_formula
--   functions/feature/formula functions/feature/formula_node functions/feature/try_formulas
--   functions/feature/collect_changed_ticks views/market/trade_belief views/market/quote_belief
--   views/market/bar_belief views/market/bar_1m
create or replace procedure feature.compile()
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    c_trade constant text := 'select series_no as tenant_id, symbol, ts, seq, price, size, side, '
        'known_at from pg_temp.series_trade';
    c_quote constant text := 'select series_no as tenant_id, symbol, ts, seq, bid, bid_size, ask, '
        'ask_size, known_at from pg_temp.series_quote';
    c_bar constant text := 'select series_no as tenant_id, symbol, ts, seq, open, high, low, '
        'close, volume, vwap, known_at from pg_temp.series_bar';
    c_close constant text := 'select series_no as tenant_id, symbol, bucket, close as open, '
        'close as high, close as low, close, close as volume, close as notional, 1 as trades '
        'from pg_temp.window_bar';
begin
    -- two dbt runs at once
    perform pg_advisory_xact_lock(hashtext('feature.compile'));
    perform feature.check_formula();
    perform feature.define_formula(
        'feature.reach(out bars integer, out minutes integer)',
        format('select r.bars, r.minutes from (%s) as r', rtrim(
            pg_get_viewdef('feature.formula_reach'::regclass), '; '
        )),
        'How far back a value of a bar looks: bars (earlier ones that are there) and minutes (bars '
        'that start less than so many minutes before it). Made of feature.formula_reach by '
        'feature.compile().'
    );
    perform feature.define_formula(
        'feature.own_value() returns table (series_no integer, bucket timestamptz, '
        'open double precision, high double precision, low double precision, '
        'close double precision, volume double precision, vwap double precision, '
        'spread_bps double precision, order_imbalance double precision)',
        feature.formula(jsonb_build_object('trade', c_trade, 'quote', c_quote, 'bar', c_bar))
        || e'\n\nselect f.tenant_id, f.bucket, f.open, f.high, f.low, f.close, f.volume, f.vwap, '
        'f.spread_bps, f.order_imbalance\nfrom feature_1m as f',
        'What a bar has of its own ticks: those fields of each series and bar of the temporary '
        'tables series_trade, series_quote and series_bar, which are ordered by series_no, ts and '
        'seq. Made of feature.feature_1m by feature.compile().'
    );
    perform feature.define_formula(
        'feature.window_value() returns table (series_no integer, bucket timestamptz, '
        'sma_20 double precision, volatility_1h double precision, regime_tag text)',
        feature.formula(jsonb_build_object(
            'bar_1m', c_close,
            'ohlc_1m', c_close,
            'flow_1m', 'select * from market.flow_1m where false',
            'quote_1m', 'select * from market.quote_1m where false',
            'mid_1m', 'select * from market.mid_1m where false'
        ))
        || e'\n\nselect f.tenant_id, f.bucket, f.sma_20, f.volatility_1h, f.regime_tag\n'
        'from feature_1m as f\n'
        'inner join pg_temp.window_output as o\n'
        '    on f.tenant_id = o.series_no and f.bucket = o.bucket\n'
        '-- says nothing new, but can be asked before the join\n'
        'where f.bucket >= (select min(bucket) from pg_temp.window_output)',
        'What a bar has of the closes of other bars: those fields of each series and bar of the '
        'temporary table window_output, from the closes in window_bar. Made of feature.feature_1m '
        'by feature.compile().'
    );
    perform feature.try_formulas();
    -- other formulas may not fail: the next publish tries
    update feature.set_aside as s set try_after = '-infinity' where s.try_after <> '-infinity';
end
$$;
revoke all on procedure feature.compile() from public;
grant execute on procedure feature.compile() to market_deploy;
comment on procedure feature.compile() is -- noqa: LT01
'Makes the functions that publish and backfill compute with, feature.own_value(), '
'feature.window_value() and feature.reach(), of the dbt models as they stand in this database. dbt '
'calls it at the end of a run or build; look at them with \sf. Errors: 0A000, with the model and '
'the rule, for what cannot be recomputed; else what the models'' query says.';

-- a database whose models are there already
do $$
begin
    if to_regclass('feature.feature_1m') is not null
        and to_regclass('feature.formula_reach') is not null then
        call feature.compile();
    end if;
end
$$;
