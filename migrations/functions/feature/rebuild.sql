-- depends: functions/feature/analyze_rebuild functions/feature/await_snapshots
--   functions/feature/rebuild_set functions/feature/sets_of_rebuild
--   functions/feature/start_rebuild functions/feature/stop_clock functions/feature/switch_logs
--   functions/feature/take_rebuild_changes
create or replace procedure feature.rebuild(
    p_set text default null, p_reason text default null
)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
    -- what publishes change meanwhile is built in rounds; one that finds no end is the last
    c_rounds constant integer := 10;
    v_run integer;
    v_sets text[];
    v_set text;
    v_changed record;
    v_older text[];
    v_switched text;
begin
    perform pg_catalog.set_config('feature.left_out', '', false);
    v_run := feature.start_rebuild(p_set, p_reason);
    commit;
    v_sets := feature.sets_of_rebuild(v_run);
    foreach v_set in array v_sets loop
        call feature.rebuild_set(v_run, v_set, null, null, null, false);
    end loop;
    perform feature.analyze_rebuild(v_run);
    commit;
    for v_round in 1 .. c_rounds + 10 loop
        if v_round = c_rounds then
            perform feature.stop_clock();
        end if;
        select c.* into v_changed from feature.take_rebuild_changes(v_run) as c;
        if v_changed.symbols is not null then
            foreach v_set in array v_sets loop
                call feature.rebuild_set(
                    v_run, v_set, v_changed.tenant_ids, v_changed.symbols, v_changed.buckets,
                    v_round = c_rounds
                );
            end loop;
        end if;
        if v_round <> c_rounds then
            commit;
            v_older := null;
            loop
                v_older := feature.await_snapshots(v_run, v_older);
                commit;
                exit when v_older = array[]::text[];
            end loop;
        end if;
        v_switched := feature.switch_logs(v_run);
        commit;
        exit when v_switched = 'done';
    end loop;
    if v_switched <> 'done' then
        raise exception 'the logs are read without a pause: the new generation is not in use'
            using errcode = 'lock_not_available',
            hint = 'Call feature.rebuild() again when less is asked of them.';
    end if;
    raise notice 'the new generation of % is in use', pg_catalog.array_to_string(v_sets, ', ');
    if pg_catalog.current_setting('feature.left_out') <> '' then
        raise exception 'kept as they were, because a formula fails on them: %',
            pg_catalog.current_setting('feature.left_out')
            using errcode = 'data_exception',
            hint = 'All else is rebuilt and in use. Correct or cancel the ticks, or change the '
                'formula, then call it again.';
    end if;
end
$$;
revoke all on procedure feature.rebuild(text, text) from public;
grant execute on procedure feature.rebuild(text, text) to market_operator;
comment on procedure feature.rebuild(text, text) is -- noqa: LT01
'Makes a new generation of the logs, from the ticks, under the formulas in use, and puts it in '
'place of the one in use: after a change of formulas, and after history that was mended. p_set: of '
'this set and those that read it, default all. p_reason: for feature.generation. All that was '
'known by the last publish is history in it, with the moments of its ticks, as '
'feature.backfill() would build it; what publishes change meanwhile is built in rounds, and '
'they go on from it. Transactions that began before it was built are waited for, and named. The '
'generation before stays, and feature_pit_snapshot_in() and its like read it. Bars whose ticks '
'retention may have dropped are taken over as they are. Works in slices of 20 series, each '
'committed, with a notice per day; after an interruption the next call begins anew. It cannot run '
'inside a transaction. A series that a formula fails on keeps the versions that it had, with a '
'warning; all others are rebuilt and come into use, and at the end the error 22000 names those. '
'Errors: 42704 for another set, 42P01 when "dbt run" has not made the models, 55P03 while another '
'call runs, or when the logs are read without a pause, 55000 when another call has begun anew or '
'formulas, instruments or columns have changed, 2D000 in a transaction.';
