create or replace function feature.end_waits(p_from timestamptz, p_to timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_first constant integer := feature.minute_of_day(p_from);
    v_bars constant integer := (extract(epoch from p_to - p_from) / 60)::integer;
    v_others constant bit(1440) := (
        repeat('1', v_first) || repeat('0', v_bars) || repeat('1', 1440 - v_first - v_bars)
    )::bit(1440);
begin
    update feature.waiting_history as h set minutes = h.minutes & v_others
    from slice as s
    where
        h.symbol = s.symbol
        and h.tenant_id = s.tenant_id
        and h.day = (p_from at time zone 'UTC')::date;
    delete from feature.waiting_history as h
    using slice as s
    where
        h.symbol = s.symbol
        and h.tenant_id = s.tenant_id
        and h.day = (p_from at time zone 'UTC')::date
        and bit_count(h.minutes) = 0;
end
$$;
revoke all on function feature.end_waits(timestamptz, timestamptz) from public;
comment on function feature.end_waits(timestamptz, timestamptz) is
'Takes the bars with bucket in [p_from, p_to), which lies within a UTC day, of the series in the '
'temporary table slice out of feature.waiting_history. Step of feature.backfill_slice(), under '
'the lock of the clock: a publish notes what it finds before or after.';
