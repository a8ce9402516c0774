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
        insert into feature.generation (feature_set, generation, begun_at, switched_at)
        select v_set.feature_set, 1, clock_timestamp(), '-infinity'
        where not exists (
            select from feature.generation as g where g.feature_set = v_set.feature_set
        );
    end loop;
    -- of a set that has gone the log stays
    perform feature.drop_readers(l.feature_set)
    from (
        select regexp_replace(c.relname, '_log$', '') as feature_set
        from pg_trigger as t
        inner join pg_class as c on t.tgrelid = c.oid
        where
            t.tgname = 'log_is_append_only'
            and c.relnamespace = 'feature'::regnamespace
            and c.relname ~ '_log$'
    ) as l
    where not exists (select from market.feature_set as s where s.feature_set = l.feature_set);
end
$$;
revoke all on function feature.make_logs() from public;
comment on function feature.make_logs() is
'Brings the logs of all sets (feature.name_of()) and the row types of their answers to '
'market.feature_set and market.contract. make migrate calls it when their rows have changed.';

select feature.make_logs();
