-- depends: functions/feature/url_text
create or replace function feature.receipt_check(p_receipt text) returns text
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select feature.url_text(substr(sha256(convert_to(p_receipt, 'UTF8')), 1, 3))
$$;
revoke all on function feature.receipt_check(text) from public;
comment on function feature.receipt_check(text) is
'The last part of a receipt: four characters by which one that was damaged is known.';
