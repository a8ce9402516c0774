-- loses: nothing but the rules
set local role market_owner;
alter table market.calendar_holiday drop constraint calendar_holiday_calendar_id_fkey;
alter table market.calendar_session drop constraint calendar_session_calendar_id_fkey;
alter table market.instrument
drop constraint instrument_calendar_id_fkey,
drop constraint instrument_symbol_blank_check;
