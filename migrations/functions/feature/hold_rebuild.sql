-- depends: functions/feature/inputs_in_use
create or replace function feature.hold_rebuild(p_run integer) returns feature.rebuild_run
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_run feature.rebuild_run;
begin
    perform pg_advisory_xact_lock(hashtextextended('feature.rebuild', 0));
    select r.* into v_run from feature.rebuild_run as r where r.run_id = p_run;
    if v_run.run_id is null then
        raise exception 'another call of feature.rebuild() has begun anew, this one has ended'
            using errcode = 'object_not_in_prerequisite_state', hint = 'Let that one end.';
    elsif v_run.inputs <> feature.inputs_in_use() then
        raise exception 'formulas or instruments have changed since feature.rebuild() began'
            using errcode = 'object_not_in_prerequisite_state',
            hint = 'Call it again: it begins anew, with those of now.';
    end if;
    perform set_config('feature.rebuild', array_to_string(v_run.feature_sets, ','), true);
    return v_run;
end
$$;
revoke all on function feature.hold_rebuild(integer) from public;
comment on function feature.hold_rebuild(integer) is
'Takes, until the transaction ends, the lock of the generation that the call p_run of '
'feature.rebuild() makes, and directs what builds history to its logs. Returns its row of '
'feature.rebuild_run. Errors: 55000 when another call has begun anew, or formulas or '
'instruments have changed.';
