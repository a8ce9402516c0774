-- loses: nothing that seeds/ does not hold; "dbt seed" fills the tables again
drop table market.calendar_holiday cascade;
drop table market.calendar_session cascade;
drop table market.calendar cascade;
