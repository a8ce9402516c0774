-- depends: functions/feature/drop_readers functions/feature/make_log
--   functions/feature/make_row_type functions/feature/set_order
-- rows: market.contract market.feature_set
create or replace function feature.make_logs() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_set market.feature_set;
begin
    for v_set in select s.* from feature.set_order() as s loop
        perform feature.make_log(v_set);
        perform feature.make_row_type(v_set.feature_set);
    end loop;
    perform feature.drop_readers(b.feature_set)
    from (select distinct r.feature_set from feature.birth as r) as b
    where not exists (select from market.feature_set as s where s.feature_set = b.feature_set);
end
$$;
revoke all on function feature.make_logs() from public;
comment on function feature.make_logs() is
'Brings the logs of all sets (feature.name_of()) and the row types of their answers to '
'market.feature_set and market.contract. make migrate calls it when their rows have changed.';

select feature.make_logs();
