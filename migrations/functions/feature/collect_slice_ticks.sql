create or replace function feature.collect_slice_ticks(
    p_from timestamptz, p_to timestamptz, p_live_from timestamptz
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
begin
    create temp table slice_trade on commit drop as
    select
        s.series_no,
        s.symbol,
        date_bin(interval '1 minute', t.ts, c_origin) as bucket,
        t.*
    from slice as s
    cross join lateral (
        select
            b.ts,
            b.seq,
            b.price,
            b.size,
            b.side,
            b.known_at,
            b.superseded_at,
            b.cause
        from market.trade_belief as b
        where
            b.tenant_id = s.tenant_id
            and b.symbol = s.symbol
            and b.ts >= s.context_from
            and b.ts < p_to
            and b.known_at <= p_live_from
        -- sought by the key, series by series: joined as a whole, all ticks would be read
        offset 0
    ) as t;
    analyze slice_trade;

    create temp table slice_quote on commit drop as
    select
        s.series_no,
        s.symbol,
        date_bin(interval '1 minute', q.ts, c_origin) as bucket,
        q.*
    from slice as s
    cross join lateral (
        select
            b.ts,
            b.seq,
            b.bid,
            b.bid_size,
            b.ask,
            b.ask_size,
            b.known_at,
            b.superseded_at,
            b.cause
        from market.quote_belief as b
        where
            b.tenant_id = s.tenant_id
            and b.symbol = s.symbol
            and b.ts >= p_from
            and b.ts < p_to
            and b.known_at <= p_live_from
        -- sought by the key, series by series: joined as a whole, all ticks would be read
        offset 0
    ) as q;
    analyze slice_quote;
end
$$;
revoke all on function feature.collect_slice_ticks(
    timestamptz, timestamptz, timestamptz
) from public;
comment on function feature.collect_slice_ticks(timestamptz, timestamptz, timestamptz) is
'Makes the temporary tables slice_trade and slice_quote: every belief about a tick of the series '
'in slice that was known by p_live_from, with its bucket, from when (known_at) and to when '
'(superseded_at) it was held and what ended it (cause): trades from the slice''s context_from, '
'quotes from p_from, both to before p_to. Step of feature.backfill_slice().';
