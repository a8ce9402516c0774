-- loses: whose messages were refused, and which refusals are settled; the letters say whose
set local role market_owner;
drop view if exists market.dead_letter_count;
alter table market.dead_letter
drop column tenant_id,
drop column symbol,
drop column file,
drop column settled_at;
