-- depends: 0018_create_pit_row
-- purpose: a wrong line of seeds/ is refused by the tables, whoever loads it
-- lock: access exclusive on the reference tables, for a moment
-- Rows that are there already are judged when seeds/ are loaded next: make migrate names file and
-- line, which this file cannot.
set local role market_owner;

alter table market.instrument
add constraint instrument_symbol_blank_check check (symbol = btrim(symbol)) not valid,
-- deferred: a load takes a row out and puts it in again
add constraint instrument_calendar_id_fkey foreign key (calendar_id) references market.calendar
deferrable initially deferred not valid;

alter table market.calendar_session
add constraint calendar_session_calendar_id_fkey
foreign key (calendar_id) references market.calendar deferrable initially deferred not valid;

alter table market.calendar_holiday
add constraint calendar_holiday_calendar_id_fkey
foreign key (calendar_id) references market.calendar deferrable initially deferred not valid;
