-- depends: functions/feature/queued_history
create or replace function feature.first_waits(
    p_from timestamptz, p_to timestamptz
) returns table (tenant_id integer, symbol text, bucket timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        w.tenant_id,
        w.symbol,
        min(w.bucket)
    from (
        select
            h.tenant_id,
            h.symbol,
            h.day::timestamp at time zone 'UTC' + m.minute * interval '1 minute' as bucket
        from feature.waiting_history as h
        cross join generate_series(0, 1439) as m (minute)
        where get_bit(h.minutes, m.minute) = 1
        union all
        -- what no publish has looked at yet
        select q.tenant_id, q.symbol, q.bucket from feature.queued_history() as q
    ) as w
    where w.bucket < p_from or w.bucket >= p_to
    group by w.tenant_id, w.symbol
$$;
revoke all on function feature.first_waits(timestamptz, timestamptz) from public;
grant execute on function feature.first_waits(timestamptz, timestamptz) to market_operator;
comment on function feature.first_waits(timestamptz, timestamptz) is
'The first bar, outside [p_from, p_to), of each series whose history in market_1m waits for '
'feature.backfill(), as feature.history_waits() counts them.';
