-- depends: functions/feature/await_history functions/feature/backfill_slice
--   functions/feature/end_ranges functions/feature/fill_fields functions/feature/ready_history
--   functions/feature/waiting_ranges
create or replace procedure feature.backfill_derived(
    p_set text, p_from timestamptz, p_to timestamptz, p_length interval
)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
    -- big enough to pay for planning, small enough for memory
    c_series constant integer := 20;
    v_slice record;
    v_done bigint;
    v_versions bigint := 0;
    v_waiting bigint;
begin
    perform feature.await_history(p_set, p_from, p_to);
    commit;
    loop
        select
            r.tenant_ids[:c_series] as tenant_ids,
            r.symbols[:c_series] as symbols,
            r.range_from,
            r.range_to
        into v_slice
        from feature.ready_history(p_set, p_length) as r;
        exit when v_slice.tenant_ids is null;
        call feature.fill_fields(
            p_set, v_slice.tenant_ids, v_slice.symbols, v_slice.range_from, v_slice.range_to,
            v_versions
        );
        v_done := feature.backfill_slice(
            p_set, v_slice.tenant_ids, v_slice.symbols, v_slice.range_from, v_slice.range_to
        );
        v_versions := v_versions + v_done;
        perform feature.end_ranges(
            p_set, v_slice.tenant_ids, v_slice.symbols, v_slice.range_to
        );
        commit;
    end loop;
    v_waiting := feature.waiting_ranges(p_set);
    raise notice '%: versions of history: %', p_set, v_versions;
    if v_waiting > 0 then
        raise notice '%: history of % series waits for earlier history of what it reads, which '
            'feature.history_waits() and feature.field_waits() name', p_set, v_waiting;
    end if;
end
$$;
revoke all on procedure feature.backfill_derived(text, timestamptz, timestamptz, interval)
from public;
grant execute on procedure feature.backfill_derived(text, timestamptz, timestamptz, interval)
to market_operator;
comment on procedure feature.backfill_derived( -- noqa: LT01
    text, timestamptz, timestamptz, interval
) is
'feature.backfill() of a set that reads the logs of others, in slices of p_length: of each series '
'what feature.waiting_range has of it, once nothing that it reads before its end waits. Called by '
'feature.backfill().';
