create or replace function feature.warn_beyond(
    p_symbols text[], p_moments timestamptz[]
) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_ended text;
begin
    -- nearly always none has
    if not exists (
        select from market.calendar as c
        where c.ends_on < (clock_timestamp() at time zone 'UTC')::date
    ) then
        return;
    end if;
    select string_agg(distinct format('%s on %s', c.calendar_id, c.ends_on), ', ')
    into v_ended
    from (
        select
            p.symbol,
            max(p.moment) as last
        from unnest(p_symbols, p_moments) as p (symbol, moment)
        group by p.symbol
    ) as a
    inner join market.instrument as i on a.symbol = i.symbol
    inner join market.calendar as c on i.calendar_id = c.calendar_id
    -- a session may run into the next day
    where (a.last at time zone 'UTC')::date > c.ends_on + 1;
    if v_ended is not null then
        raise warning 'the calendar has ended: %', v_ended
            using hint = 'Its sessions after that day are not known: hours count by the clock, and '
                'no session bar is made. Renew it with "make calendars", then "make migrate".';
    end if;
end
$$;
revoke all on function feature.warn_beyond(text[], timestamptz[]) from public;
comment on function feature.warn_beyond(text[], timestamptz[]) is
'Warns where p_moments lie beyond the end of the calendars of p_symbols, element by element '
'(market.calendar.ends_on), and names these calendars.';
