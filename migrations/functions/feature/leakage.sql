create or replace function feature.leakage(
    p_symbols text[], p_as_of timestamptz[], p_tenant_id integer default null
) returns table (
    field text,
    training_rows bigint,
    leaked_rows bigint,
    leaked_share double precision,
    mean_abs_change double precision,
    max_abs_change double precision
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    with pair as (
        select
            k.*,
            e.open as later_open,
            e.high as later_high,
            e.low as later_low,
            e.close as later_close,
            e.volume as later_volume,
            e.vwap as later_vwap,
            e.sma_20 as later_sma_20,
            e.volatility_1h as later_volatility_1h,
            e.regime_tag as later_regime_tag,
            e.spread_bps as later_spread_bps,
            e.order_imbalance as later_order_imbalance
        from rows from (
            public.feature_pit_snapshot(p_symbols, p_as_of, null::timestamptz[], p_tenant_id)
        ) with ordinality as k (
            symbol, as_of, known_as_of, bucket, known_at, open, high, low, close, volume, vwap,
            sma_20, volatility_1h, regime_tag, spread_bps, order_imbalance, is_stale, place
        )
        -- by event time alone: the latest closed bar, with all that became known of it since
        inner join rows from (
            public.feature_pit_snapshot(
                p_symbols,
                p_as_of,
                feature.for_each(p_symbols, now()),
                p_tenant_id
            )
        ) with ordinality as e (
            symbol, as_of, known_as_of, bucket, known_at, open, high, low, close, volume, vwap,
            sma_20, volatility_1h, regime_tag, spread_bps, order_imbalance, is_stale, place
        ) on k.place = e.place
    ),

    compared as (
        select
            f.ordinal,
            f.field,
            f.known is distinct from f.later
            or f.known_tag is distinct from f.later_tag as is_leaked,
            abs(f.later - f.known) as change
        from pair as p
        cross join lateral (
            values
            (1, 'open', p.open, p.later_open, null, null),
            (2, 'high', p.high, p.later_high, null, null),
            (3, 'low', p.low, p.later_low, null, null),
            (4, 'close', p.close, p.later_close, null, null),
            (5, 'volume', p.volume, p.later_volume, null, null),
            (6, 'vwap', p.vwap, p.later_vwap, null, null),
            (7, 'sma_20', p.sma_20, p.later_sma_20, null, null),
            (8, 'volatility_1h', p.volatility_1h, p.later_volatility_1h, null, null),
            (9, 'regime_tag', null, null, p.regime_tag, p.later_regime_tag),
            (10, 'spread_bps', p.spread_bps, p.later_spread_bps, null, null),
            (11, 'order_imbalance', p.order_imbalance, p.later_order_imbalance, null, null)
        ) as f (ordinal, field, known, later, known_tag, later_tag)
        union all
        select
            0,
            'any',
            row(
                p.open, p.high, p.low, p.close, p.volume, p.vwap, p.sma_20, p.volatility_1h,
                p.regime_tag, p.spread_bps, p.order_imbalance
            ) is distinct from row(
                p.later_open, p.later_high, p.later_low, p.later_close, p.later_volume,
                p.later_vwap, p.later_sma_20, p.later_volatility_1h, p.later_regime_tag,
                p.later_spread_bps, p.later_order_imbalance
            ),
            null
        from pair as p
    )

    select
        c.field,
        count(*),
        count(*) filter (where c.is_leaked),
        count(*) filter (where c.is_leaked)::double precision / count(*),
        avg(c.change) filter (where c.is_leaked),
        max(c.change) filter (where c.is_leaked)
    from compared as c
    group by c.ordinal, c.field
    order by c.ordinal
$$;
revoke all on function feature.leakage(text[], timestamptz[], integer) from public;
grant execute on function feature.leakage(text[], timestamptz[], integer) to market_reader;
comment on function feature.leakage(text[], timestamptz[], integer) is
'What a join by event time alone would have leaked into a training set: it takes the latest '
'closed bar as it stands today, this function compares that with what was known at as_of. '
'p_symbols, p_as_of, p_tenant_id: as of public.feature_pit_snapshot(). One row per field in the '
'contract''s order, after one for "any". Columns: training_rows; leaked_rows, whose value '
'differs; leaked_share, their fraction; mean_abs_change and max_abs_change of the leaked rows '
'with both values, in the field''s unit, NULL for text. No pairs, no rows. Errors: as there.';
