create or replace function feature.backfill_slice(
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_from timestamptz,
    p_to timestamptz
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
as $$
declare
    c_tries constant integer := 3;
    v_born_at timestamptz;
    v_changes bigint;
    v_definition integer;
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
            v_born_at := feature.born_at(p_set);
            v_changes := feature.history_changes(p_tenant_ids, p_symbols);
            v_definition := (
                select c.definition from feature.current_definition as c where c.feature_set = p_set
            );
            if p_set = 'market_1m' then
                perform feature.collect_queued(p_tenant_ids, p_symbols, p_from, p_to);
            end if;
            perform feature.make_history(
                p_set, p_tenant_ids, p_symbols, p_from, p_to, v_born_at
            );
            v_against := feature.bars_against(p_set, p_from, p_to);
            perform from feature.clock as c for update;
            if feature.born_at(p_set) = v_born_at
                and feature.history_changes(p_tenant_ids, p_symbols) = v_changes
                and not exists (
                    select from feature.current_definition as c
                    where c.feature_set = p_set and c.definition <> v_definition
                ) then
                v_versions := feature.append_history(p_set, v_born_at);
                if p_set = 'market_1m' then
                    perform feature.end_waits(p_from, p_to);
                end if;
                perform feature.note_against(v_against);
                return v_versions;
            end if;
            -- A publish has left ticks to this slice that it did not read, or dbt has made other
            -- formulas. As an error it undoes what was made here, and gives the lock back.
            raise sqlstate 'FH001'
            using message = 'the history of a series, or a formula, changed meanwhile';
        exception
            when sqlstate 'FH001' then null;
        end;
    end loop;
end
$$;
revoke all on function feature.backfill_slice(
    text, integer[], text[], timestamptz, timestamptz
) from public;
grant execute on function feature.backfill_slice(
    text, integer[], text[], timestamptz, timestamptz
) to market_operator;
comment on function feature.backfill_slice(text, integer[], text[], timestamptz, timestamptz) is
'The versions of some series'' bars of the set p_set with bucket in [p_from, p_to), built from the '
'ticks, or from the logs that the set reads, and appended where a bar has none as early. '
'p_tenant_ids, p_symbols: the series, element by element. Returns how many were appended. '
'Publishes wait only while it appends; when what counts as history, the history of a series '
'or a formula changed before, it is built anew. A series whose formulas fail is left out, with a '
'warning and in the setting feature.left_out; bars that stay against their ticks are counted in '
'the setting feature.against. Called by feature.backfill().';
