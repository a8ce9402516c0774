-- depends: functions/feature/fill_slice
create or replace procedure feature.fill_fields(
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_from timestamptz,
    p_to timestamptz,
    inout p_versions bigint
)
language plpgsql
-- No set clause: a procedure that has one cannot commit. Every name carries its schema instead.
as $$
declare
    -- an update takes longer than an insert, and publishes wait for it
    c_series constant integer := 5;
    v_versions bigint;
begin
    for v_first in 1 .. pg_catalog.cardinality(p_symbols) by c_series loop
        v_versions := feature.fill_slice(
            p_set,
            p_tenant_ids[v_first:v_first + c_series - 1],
            p_symbols[v_first:v_first + c_series - 1],
            p_from,
            p_to
        );
        p_versions := p_versions + v_versions;
        commit;
    end loop;
end
$$;
revoke all on procedure feature.fill_fields(
    text, integer[], text[], timestamptz, timestamptz, bigint
) from public;
grant execute on procedure feature.fill_fields(
    text, integer[], text[], timestamptz, timestamptz, bigint
) to market_operator;
comment on procedure feature.fill_fields( -- noqa: LT01
    text, integer[], text[], timestamptz, timestamptz, bigint -- noqa: LT01
) is
'feature.fill_slice() of a few series at a time, each time committed; adds to p_versions how many '
'versions that were. Step of feature.backfill_set() and feature.backfill_derived().';
