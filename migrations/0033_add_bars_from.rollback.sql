-- loses: which instruments have bars of their quotes, or of their vendor; the versions that were
--   published of them stay
set local role market_owner;
-- market.bar_1m and dbt's views are on it; make dbt makes them anew
alter table market.instrument drop column bars_from cascade;
