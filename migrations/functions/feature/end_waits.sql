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
    -- what makes no bar never has a version, by which the others wait no more
    with ended as (
        delete from feature.changed_bar as c
        using queued as q, slice as s
        where
            c.ctid = q.place
            and c.xmin = q.written_by
            and q.tenant_id = s.tenant_id
            and q.symbol = s.symbol
            and not exists (
                select from history_version as h
                where h.tenant_id = q.tenant_id and h.symbol = q.symbol and h.bucket = q.bucket
            )
            and not exists (
                select from feature.log as l
                where
                    l.tenant_id = q.tenant_id
                    and l.symbol = q.symbol
                    and l.bucket = q.bucket
                    -- of one chunk
                    and l.bucket >= p_from
                    and l.bucket < p_to
            )
        returning c.symbol, c.tenant_id
    )

    -- another backfill, which has read their ticks before, must know, as in feature.take_due()
    insert into feature.history_change as h (symbol, tenant_id)
    select distinct
        e.symbol,
        e.tenant_id
    from ended as e
    on conflict (symbol, tenant_id) do update set publishes = h.publishes + 1;
end
$$;
revoke all on function feature.end_waits(timestamptz, timestamptz) from public;
comment on function feature.end_waits(timestamptz, timestamptz) is
'Takes the bars with bucket in [p_from, p_to), which lies within a UTC day, of the series in the '
'temporary table slice out of feature.waiting_history, and those of which no tick made a bar out '
'of feature.changed_bar, where queued has them; the others there have a version now, and are left '
'to the next publish. Step of feature.backfill_slice(), under the lock of the clock: a publish '
'notes what it finds before or after.';
