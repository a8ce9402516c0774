create or replace function feature.collect_moment_ticks() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    create temp table series_trade on commit drop as
    select
        m.moment_no as series_no,
        t.symbol,
        t.ts,
        t.seq,
        t.price,
        t.size,
        t.side,
        t.known_at
    from moment as m
    inner join slice_trade as t
        on
            m.series_no = t.series_no
            and m.bucket = t.bucket
            and m.known_at >= t.known_at
            and m.known_at < t.superseded_at
    order by m.moment_no, t.ts, t.seq;
    analyze series_trade;

    create temp table series_quote on commit drop as
    select
        m.moment_no as series_no,
        q.symbol,
        q.ts,
        q.seq,
        q.bid,
        q.bid_size,
        q.ask,
        q.ask_size,
        q.known_at
    from moment as m
    inner join slice_quote as q
        on
            m.series_no = q.series_no
            and m.bucket = q.bucket
            and m.known_at >= q.known_at
            and m.known_at < q.superseded_at
    order by m.moment_no, q.ts, q.seq;
    analyze series_quote;
end
$$;
revoke all on function feature.collect_moment_ticks() from public;
comment on function feature.collect_moment_ticks() is
'Makes the temporary tables series_trade and series_quote: the ticks of each moment''s bar as they '
'were believed then, with the moment''s number as series_no, by it, ts and seq: what '
'feature.own_value() reads. Step of feature.backfill_slice().';
