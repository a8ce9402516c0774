-- What a window reads of other bars is their close; this is how many of them.
select
    greatest({{ var('sma_bars') | int - 1 }}, {{ var('regime_trend_bars') }})::integer as bars,
    greatest({{ var('volatility_minutes') }}, {{ var('regime_minutes') }})::integer as minutes
