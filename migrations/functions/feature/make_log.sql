-- depends: functions/feature/chunk_of functions/feature/comment_log functions/feature/guard_log
--   functions/feature/hold_clock functions/feature/index_log functions/feature/name_of
--   functions/feature/refuse_change functions/feature/refuse_formula functions/feature/span_of
--   functions/market/timescale_schema
create or replace function feature.make_log(p_set market.feature_set) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_name constant text := feature.name_of(p_set.feature_set, 'log');
    c_ts constant text := market.timescale_schema();
    v_field record;
begin
    if to_regclass('feature.' || c_name) is null then
        execute format(
            $q$
                create table feature.%1$I (
                    tenant_id integer not null,
                    symbol text not null,
                    bucket timestamptz not null,
                    known_at timestamptz not null,
                    closes_at timestamptz,
                    cause text not null check (
                        cause in ('close', 'late', 'correction', 'cancel', 'definition')
                    ),
                    definition integer,
                    check (closes_at > bucket and known_at >= closes_at),
                    check (closes_at is not null or cause <> 'close'),
                    constraint %2$I unique (tenant_id, symbol, bucket, known_at)
                ) with (
                    timescaledb.hypertable,
                    timescaledb.partition_column = 'bucket',
                    timescaledb.chunk_interval = %3$L,
                    timescaledb.segmentby = 'tenant_id, symbol',
                    timescaledb.orderby = 'bucket desc, known_at desc',
                    timescaledb.create_default_indexes = false
                )
            $q$,
            c_name, c_name || '_key', feature.chunk_of(p_set.grain)
        );
        perform feature.guard_log(c_name);
        -- as feature.log
        execute format(
            'call %1$s.remove_columnstore_policy(%2$L, if_exists => true)', c_ts, 'feature.' || c_name
        );
        execute format(
            'call %1$s.add_columnstore_policy(%2$L, after => interval ''182 days'')', c_ts,
            'feature.' || c_name
        );
        perform feature.comment_log(c_name, p_set.feature_set);
    end if;
    if feature.span_of(p_set.grain) is not null then
        call feature.index_log(format('feature.%I', c_name));
    end if;

    for v_field in
        select
            c.field,
            c.data_type,
            a.attname is not null as is_there,
            format_type(a.atttypid, a.atttypmod) as there_type
        from market.contract as c
        left join pg_attribute as a
            on
                a.attrelid = to_regclass('feature.' || c_name)
                and c.field = a.attname
                and not a.attisdropped
        where c.feature_set = p_set.feature_set
        order by c.ordinal
    loop
        if not v_field.is_there then
            -- a publish that has the clock waits for the log; this transaction comes to the clock
            perform feature.hold_clock();
            execute format(
                'alter table feature.%I add column %I %s', c_name, v_field.field, v_field.data_type
            );
            execute format(
                'comment on column feature.%I.%I is ''See market.contract.''', c_name, v_field.field
            );
        elsif v_field.there_type <> v_field.data_type then
            perform feature.refuse_formula(format(
                'field %s of set %s is %s in market.contract and %s in feature.%s, which keeps what '
                'was said: give the other one another name', v_field.field, p_set.feature_set,
                v_field.data_type, v_field.there_type, c_name
            ));
        end if;
    end loop;
end
$$;
revoke all on function feature.make_log(market.feature_set) from public;
comment on function feature.make_log(market.feature_set) is
'Makes the log of a set (feature.name_of()) and its index (feature.index_log(); a log of sessions '
'has none) unless they are there, and gives it the columns that market.contract has and it has '
'not. A column that the contract has no more stays, with what it says. Step of '
'feature.make_logs(). Errors: 0A000 for a field of another type than its column.';
