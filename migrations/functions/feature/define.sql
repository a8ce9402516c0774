-- depends: functions/feature/with_fields
create or replace procedure feature.define(p_sql text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    execute feature.with_fields(p_sql);
end
$$;
revoke all on procedure feature.define(text) from public;
comment on procedure feature.define(text) is -- noqa: LT01
'Runs p_sql, which makes a function or view, with the fields of market.contract in place of its '
'marks: feature.with_fields(). A file that calls it says "rows: market.contract": it runs again '
'when the contract has changed.';
