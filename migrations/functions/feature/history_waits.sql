-- depends: functions/feature/queued_history
create or replace function feature.history_waits() returns table (
    tenant_id integer, symbol text, bars bigint, first_day date, last_day date
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    -- what no publish has looked at yet
    with queued as (
        select
            q.symbol,
            q.tenant_id,
            (q.bucket at time zone 'UTC')::date as day,
            set_bit(0::bit(1440), feature.minute_of_day(q.bucket), 1) as minutes
        from feature.queued_history() as q
    ),

    day as (
        select
            w.symbol,
            w.tenant_id,
            w.day,
            bit_or(w.minutes) as minutes
        from (
            select h.symbol, h.tenant_id, h.day, h.minutes from feature.waiting_history as h
            union all
            select q.symbol, q.tenant_id, q.day, q.minutes from queued as q
        ) as w
        group by w.symbol, w.tenant_id, w.day
    )

    select
        d.tenant_id,
        d.symbol,
        sum(bit_count(d.minutes))::bigint,
        min(d.day),
        max(d.day)
    from day as d
    group by d.tenant_id, d.symbol
    order by d.tenant_id, d.symbol
$$;
revoke all on function feature.history_waits() from public;
grant usage on schema feature to market_ingest;
grant execute on function feature.history_waits() to market_ingest, market_operator, market_reader;
comment on function feature.history_waits() is
'Which history no point-in-time reader sees yet: it waits for feature.backfill(). One row per '
'tenant_id and symbol: bars, how many; first_day, last_day, UTC, of theirs. What no '
'publish has looked at yet counts as well.';
