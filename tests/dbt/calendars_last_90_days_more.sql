-- Calendars of instruments that end within 90 days: make calendars, then make migrate.
{{ config(severity='warn') }}

select
    calendar.calendar_id,
    calendar.ends_on
from {{ ref('calendar') }} as calendar
where
    calendar.calendar_id in (select used.calendar_id from {{ ref('instrument') }} as used)
    and calendar.ends_on < (now() at time zone calendar.time_zone)::date + 90
