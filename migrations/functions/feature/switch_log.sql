-- depends: functions/feature/guard_log functions/feature/name_of
--   functions/market/timescale_schema
create or replace function feature.switch_log(p_set text, p_generation integer) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_log constant text := feature.name_of(p_set, 'log');
    c_next constant text := c_log || '_next';
    c_former constant text := format('%s_g%s', c_log, p_generation);
    c_ts constant text := market.timescale_schema();
    -- as text, in which the log has its name
    c_views constant text[] := array(
        select format(
            'create or replace view %s%s as %s', c.oid::regclass,
            ' with (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid)
        )
        from pg_class as c
        where c.relkind = 'v' and c.oid in (
            select r.ev_class
            from pg_rewrite as r
            inner join pg_depend as d
                on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
            where d.refobjid = format('feature.%I', c_log)::regclass
        )
    );
    v_renamed record;
    v_index text;
    v_view text;
begin
    for v_renamed in
        select *
        from (values (1, c_log, c_former), (2, c_next, c_log)) as r (place, old, new)
        order by r.place
    loop
        for v_index in
            select i.relname
            from pg_index as x
            inner join pg_class as i on x.indexrelid = i.oid
            where
                x.indrelid = format('feature.%I', v_renamed.old)::regclass
                and starts_with(i.relname, v_renamed.old || '_')
        loop
            execute format(
                'alter index feature.%I rename to %I', v_index,
                v_renamed.new || substr(v_index, length(v_renamed.old) + 1)
            );
        end loop;
        execute format('alter table feature.%I rename to %I', v_renamed.old, v_renamed.new);
    end loop;
    perform feature.guard_log(c_former);
    perform feature.guard_log(c_log);
    -- as feature.log; not at once: publishes and backfills go on right now
    execute format(
        'call %s.add_columnstore_policy(%L, after => interval ''182 days'', initial_start => %L)',
        c_ts, 'feature.' || c_log, clock_timestamp() + interval '1 hour'
    );
    foreach v_view in array c_views loop
        execute v_view;
    end loop;
    execute format(
        'comment on table feature.%I is %L', c_former,
        format(
            'Generation %s of feature.%s, as feature.rebuild() left it when it made the next one. For '
            'feature_pit_snapshot_in() and its like.', p_generation, c_log
        )
    );
end
$$;
revoke all on function feature.switch_log(text, integer) from public;
comment on function feature.switch_log(text, integer) is
'Gives the log of the set p_set the name of its generation, p_generation, and its own to the next '
'log, with the indexes; that is guarded from then on, and views on the log are on it. Step of '
'feature.switch_logs().';
