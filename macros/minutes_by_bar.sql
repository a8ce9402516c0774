{# The minutes of a set, each with the longer bar that it lies in, of bars that have closed: what a
   bar model of longer bars reads. length: an interval that divides a day, or none: a session of the
   instrument's calendar. #}
{% macro minutes_by_bar(minutes, length=none) %}
    {%- set epoch = "timestamptz '2000-01-01 00:00:00+00'" -%}
with minute as (
    select * from {{ minutes }}
),
{% if length %}
final as (
    select
        date_bin(interval '{{ length }}', bucket, {{ epoch }}) as bar,
        date_bin(interval '{{ length }}', bucket, {{ epoch }}) + interval '{{ length }}'
            as closes_at,
        *
    from minute
)

select * from final
where closes_at <= now()
{% else %}
instrument as (
    select * from {{ ref('instrument') }}
),

extent as (
    select
        min(bucket) as first_bucket,
        max(bucket) as last_bucket
    from {{ ref('stg_bar') }}
),

session as (
    select
        calendar.calendar_id,
        session.opens_at,
        session.closes_at
    from extent
    cross join {{ ref('calendar') }} as calendar
    cross join lateral market.trading_session(
        calendar.calendar_id, extent.first_bucket, extent.last_bucket + interval '1 minute'
    ) as session
),

-- Once for each day, UTC, that a session touches: so a minute finds its session by equality, where
-- a join by the range alone would compare every minute with every session.
session_day as (
    select
        session.*,
        touched.day
    from session
    cross join lateral generate_series(
        date_bin(interval '24 hours', session.opens_at, {{ epoch }}),
        session.closes_at,
        interval '24 hours'
    ) as touched (day)
    where session.closes_at <= now()
),

final as (
    select
        session_day.opens_at as bar,
        session_day.closes_at,
        minute.*
    from minute
    inner join instrument on minute.symbol = instrument.symbol
    inner join session_day
        on
            instrument.calendar_id = session_day.calendar_id
            and date_bin(interval '24 hours', minute.bucket, {{ epoch }}) = session_day.day
            and session_day.opens_at <= minute.bucket
            and session_day.closes_at > minute.bucket
)

select * from final
{% endif %}
{% endmacro %}
