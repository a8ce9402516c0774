-- depends: functions/feature/index_inputs functions/feature/index_log functions/feature/name_of
--   functions/feature/span_of functions/market/timescale_schema
create or replace function feature.make_next_log(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_log constant text := feature.name_of(p_set, 'log');
    c_next constant text := c_log || '_next';
    c_ts constant text := market.timescale_schema();
    v_grant record;
begin
    execute format(
        $q$
            create table feature.%1$I (
                like feature.%2$I including defaults including constraints including comments,
                constraint %3$I unique (tenant_id, symbol, bucket, known_at)
            ) with (
                timescaledb.hypertable,
                timescaledb.partition_column = 'bucket',
                timescaledb.chunk_interval = %4$L,
                timescaledb.segmentby = 'tenant_id, symbol',
                timescaledb.orderby = 'bucket desc, known_at desc',
                timescaledb.create_default_indexes = false
            )
        $q$,
        c_next, c_log, c_next || '_key',
        (
            select d.time_interval
            from timescaledb_information.dimensions as d
            where d.hypertable_schema = 'feature' and d.hypertable_name = c_log
        )
    );
    -- what is being built is not compressed
    execute format(
        'call %s.remove_columnstore_policy(%L, if_exists => true)', c_ts, 'feature.' || c_next
    );
    execute format(
        'comment on table feature.%I is %L', c_next,
        obj_description(format('feature.%I', c_log)::regclass, 'pg_class')
    );
    if (
        select feature.span_of(s.grain) is not null
        from market.feature_set as s
        where s.feature_set = p_set
    ) then
        call feature.index_log(format('feature.%I', c_next));
    end if;
    perform feature.index_inputs(p_set);
    for v_grant in
        select
            g.privilege_type as may,
            g.grantee::regrole as role
        from pg_class as c
        cross join aclexplode(c.relacl) as g
        where c.oid = format('feature.%I', c_log)::regclass and g.grantee not in (0, c.relowner)
    loop
        execute format('grant %s on feature.%I to %s', v_grant.may, c_next, v_grant.role);
    end loop;
end
$$;
revoke all on function feature.make_next_log(text) from public;
comment on function feature.make_next_log(text) is
'Makes the log of the next generation of the set p_set, <log>_next, as its log is, but without '
'guards and policy, which it gets when it comes into use. Step of feature.start_rebuild().';
