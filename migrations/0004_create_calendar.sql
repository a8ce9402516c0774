-- depends: 0002_create_roles
-- purpose: trading calendars, filled by "dbt seed"
-- lock: none, the tables are new
set local role market_owner;

create table market.calendar (
    calendar_id text primary key,
    time_zone text not null,
    description text not null
);
comment on table market.calendar is 'One row per trading calendar.';
comment on column market.calendar.calendar_id is 'Name of the calendar.';
comment on column market.calendar.time_zone is 'IANA time zone in which its sessions are written.';
comment on column market.calendar.description is 'What it covers and where it comes from.';

create table market.calendar_session (
    calendar_id text not null,
    iso_weekday smallint not null check (iso_weekday between 1 and 7),
    opens time not null,
    closes time not null,
    primary key (calendar_id, iso_weekday, opens)
);
comment on table market.calendar_session is
'One row per regular session of a week, in the calendar''s local time. A session belongs to the '
'local day on which it opens.';
comment on column market.calendar_session.calendar_id is 'Calendar, market.calendar.';
comment on column market.calendar_session.iso_weekday is
'Local day on which it opens, Monday 1 to Sunday 7.';
comment on column market.calendar_session.opens is 'Local time of opening, inclusive.';
comment on column market.calendar_session.closes is
'Local time of closing, exclusive; not after opens means on the next day.';

create table market.calendar_holiday (
    calendar_id text not null,
    day date not null,
    name text not null,
    opens time,
    closes time,
    primary key (calendar_id, day),
    check ((opens is null) = (closes is null))
);
comment on table market.calendar_holiday is
'One row per local day on which the regular sessions that open that day do not take place.';
comment on column market.calendar_holiday.calendar_id is 'Calendar, market.calendar.';
comment on column market.calendar_holiday.day is 'Local day.';
comment on column market.calendar_holiday.name is 'Name of the holiday.';
comment on column market.calendar_holiday.opens is
'Local opening of the one session held instead; NULL: closed all day.';
comment on column market.calendar_holiday.closes is
'Local closing of the session held instead; not after opens means on the next day.';
