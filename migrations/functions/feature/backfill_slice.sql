create or replace function feature.backfill_slice(
    p_tenant_ids integer[], p_symbols text[], p_from timestamptz, p_to timestamptz
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
as $$
declare
    c_tries constant integer := 3;
    v_clock feature.clock;
    v_locked feature.clock;
    v_changes bigint;
    v_against jsonb;
    v_versions bigint;
begin
    -- What is computed does not depend on what publishes append: they wait only while this appends.
    for v_try in 1 .. c_tries loop
        begin
            if v_try = c_tries then
                -- while history is being loaded, each try could come too late
                perform from feature.clock as c for update;
            end if;
            select c.* into strict v_clock from feature.clock as c;
            v_changes := feature.history_changes(p_tenant_ids, p_symbols);
            perform feature.make_history(
                p_tenant_ids, p_symbols, p_from, p_to, v_clock.live_from
            );
            v_against := feature.bars_against(p_from, p_to);
            select c.* into strict v_locked from feature.clock as c for update;
            if v_locked.live_from = v_clock.live_from
                and feature.history_changes(p_tenant_ids, p_symbols) = v_changes then
                v_versions := feature.append_history(v_clock.live_from);
                perform feature.end_waits(p_from, p_to);
                perform feature.note_against(v_against);
                return v_versions;
            end if;
            -- A publish has left ticks to this slice that it did not read. As an error it undoes
            -- what was made here, and gives the lock back.
            raise sqlstate 'FH001' using message = 'the history of a series changed meanwhile';
        exception
            when sqlstate 'FH001' then null;
        end;
    end loop;
end
$$;
revoke all on function feature.backfill_slice(
    integer[], text[], timestamptz, timestamptz
) from public;
grant execute on function feature.backfill_slice(
    integer[], text[], timestamptz, timestamptz
) to market_operator;
comment on function feature.backfill_slice(integer[], text[], timestamptz, timestamptz) is
'The versions of some series'' bars with bucket in [p_from, p_to), built from the ticks and '
'appended where a bar has none as early. p_tenant_ids, p_symbols: the series, element by element. '
'Returns how many were appended. Publishes wait only while it appends; when live_from or the '
'history of a series changed before, it is built anew. A series whose formulas fail is left out, '
'with a warning and in the setting feature.left_out; bars that stay against their ticks are '
'counted in the setting feature.against. Called by feature.backfill().';
