create or replace function feature.leave_out() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_named constant text := current_setting('feature.left_out', true);
    v_failed record;
begin
    if to_regclass('pg_temp.failed') is null then
        return;
    end if;
    delete from slice as s
    using failed as f
    where s.tenant_id = f.tenant_id and s.symbol = f.symbol;
    for v_failed in
        select
            f.sqlstate,
            f.message,
            format('%s of tenant %s', f.symbol, f.tenant_id) as name
        from failed as f
        order by f.tenant_id, f.symbol
    loop
        if v_failed.name <> all(string_to_array(coalesce(c_named, ''), ', ')) then
            perform set_config(
                'feature.left_out',
                concat_ws(
                    ', ', nullif(current_setting('feature.left_out', true), ''), v_failed.name
                ),
                false
            );
        end if;
        raise warning '% is left out: %', v_failed.name, v_failed.message
            using errcode = v_failed.sqlstate;
    end loop;
    drop table pg_temp.failed;
end
$$;
revoke all on function feature.leave_out() from public;
comment on function feature.leave_out() is
'Takes the series in the temporary table failed, if it is there, out of slice, so that nothing of '
'them is appended, and names them in a warning and, for feature.backfill(), in the setting '
'feature.left_out. Step of feature.backfill_slice(), after each evaluation.';
