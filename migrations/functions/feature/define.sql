-- depends: functions/feature/make_logs functions/feature/set_order functions/feature/with_fields
create or replace procedure feature.define(p_sql text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_set text;
begin
    for v_set in select s.feature_set from feature.set_order() as s loop
        execute feature.with_fields(v_set, p_sql);
    end loop;
end
$$;
revoke all on procedure feature.define(text) from public;
comment on procedure feature.define(text) is -- noqa: LT01
'Runs p_sql, which makes a function or view with its grants and comment, once for each set of '
'features, with the names and fields of the set in place of its marks: feature.with_fields(). A '
'file that calls it says "rows: market.contract market.feature_set": it runs again when these have '
'changed.';
