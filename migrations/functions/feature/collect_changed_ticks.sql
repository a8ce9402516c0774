create or replace function feature.collect_changed_ticks(p_known_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_minute constant interval := interval '1 minute';
begin
    create temp table series_trade on commit drop as
    select
        c.series_no,
        c.symbol,
        t.ts,
        t.seq,
        t.price,
        t.size,
        t.side,
        t.known_at
    from changed as c
    inner join market.trade_belief as t
        on
            c.tenant_id = t.tenant_id
            and c.symbol = t.symbol
            and t.ts >= c.bucket
            and t.ts < c.bucket + c_minute
    where t.known_at <= p_known_at and t.superseded_at > p_known_at
    order by c.series_no, t.ts, t.seq;
    analyze series_trade;

    create temp table series_quote on commit drop as
    select
        c.series_no,
        c.symbol,
        q.ts,
        q.seq,
        q.bid,
        q.bid_size,
        q.ask,
        q.ask_size,
        q.known_at
    from changed as c
    inner join market.quote_belief as q
        on
            c.tenant_id = q.tenant_id
            and c.symbol = q.symbol
            and q.ts >= c.bucket
            and q.ts < c.bucket + c_minute
    where q.known_at <= p_known_at and q.superseded_at > p_known_at
    order by c.series_no, q.ts, q.seq;
    analyze series_quote;
end
$$;
revoke all on function feature.collect_changed_ticks(timestamptz) from public;
comment on function feature.collect_changed_ticks(timestamptz) is
'Makes the temporary tables series_trade and series_quote: the ticks of the bars in changed as '
'they were believed at p_known_at, by series_no, ts and seq: what feature.own_value() reads. Step '
'of feature.publish().';
