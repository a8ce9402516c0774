-- depends: functions/market/has_ticks
create or replace function feature.end_lost_waits(
    p_from timestamptz, p_to timestamptz
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from feature.waiting_history as h
    where
        h.day >= (p_from at time zone 'UTC')::date
        and h.day::timestamp at time zone 'UTC' + interval '1 day' <= p_to
        and not market.has_ticks(
            market.bars_from(h.symbol) || '_belief',
            h.tenant_id,
            h.symbol,
            h.day::timestamp at time zone 'UTC',
            h.day::timestamp at time zone 'UTC' + interval '1 day'
        )
$$;
revoke all on function feature.end_lost_waits(timestamptz, timestamptz) from public;
grant execute on function feature.end_lost_waits(timestamptz, timestamptz) to market_operator;
comment on function feature.end_lost_waits(timestamptz, timestamptz) is
'Takes the days within [p_from, p_to) of which a series has no ticks that make a bar any more, '
'deleted by hand or by a retention, out of feature.waiting_history: no backfill comes to them. '
'Step of feature.backfill().';
