-- loses: nothing that seeds/ does not hold; "dbt seed" fills the tables again
drop table market.contract cascade;
drop table market.instrument cascade;
drop table market.tenant cascade;
