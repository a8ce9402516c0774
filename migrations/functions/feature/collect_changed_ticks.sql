create or replace function feature.collect_changed_ticks(p_known_at timestamptz) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    create temp table series_trade on commit drop as
    select
        c.series_no,
        c.symbol,
        t.*
    from changed as c
    cross join lateral (
        select
            b.ts,
            b.seq,
            b.price,
            b.size,
            b.side,
            b.known_at
        from market.trade_belief as b
        where
            b.tenant_id = c.tenant_id
            and b.symbol = c.symbol
            and b.ts >= c.bucket
            and b.ts < c.bucket + interval '1 minute'
            and b.known_at <= p_known_at
            and b.superseded_at > p_known_at
        -- sought by the key, series by series: joined as a whole, all ticks would be read
        offset 0
    ) as t
    order by c.series_no, t.ts, t.seq;
    analyze series_trade;

    create temp table series_quote on commit drop as
    select
        c.series_no,
        c.symbol,
        q.*
    from changed as c
    cross join lateral (
        select
            b.ts,
            b.seq,
            b.bid,
            b.bid_size,
            b.ask,
            b.ask_size,
            b.known_at
        from market.quote_belief as b
        where
            b.tenant_id = c.tenant_id
            and b.symbol = c.symbol
            and b.ts >= c.bucket
            and b.ts < c.bucket + interval '1 minute'
            and b.known_at <= p_known_at
            and b.superseded_at > p_known_at
        -- sought by the key, series by series: joined as a whole, all ticks would be read
        offset 0
    ) as q
    order by c.series_no, q.ts, q.seq;
    analyze series_quote;
end
$$;
revoke all on function feature.collect_changed_ticks(timestamptz) from public;
comment on function feature.collect_changed_ticks(timestamptz) is
'Makes the temporary tables series_trade and series_quote: the ticks of the bars in changed as '
'they were believed at p_known_at, by series_no, ts and seq: what feature.own_value() reads. Step '
'of feature.publish().';
