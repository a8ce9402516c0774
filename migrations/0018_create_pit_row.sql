-- depends: 0017_create_feast_schema
-- purpose: one row type for all that answers as feature_pit_snapshot() does
-- lock: none
set local role market_owner;

create type feature.pit_row as (
    symbol text,
    as_of timestamptz,
    known_as_of timestamptz,
    bucket timestamptz,
    known_at timestamptz,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    volume double precision,
    vwap double precision,
    sma_20 double precision,
    volatility_1h double precision,
    regime_tag text,
    spread_bps double precision,
    order_imbalance double precision,
    is_stale boolean
);
comment on type feature.pit_row is
'What feature_pit_snapshot() answers: the columns are in its comment.';
