create or replace function feature.evaluate(p_table text, p_inputs jsonb, p_query text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- The planner cannot estimate the joins of the formulas. Without a sort ahead of it a GROUP BY adds
-- up in the order of its input: ticks given by (ts, seq) always give the same bits.
set enable_nestloop = off
set enable_sort = off
set jit = off
set work_mem = '64MB'
as $$
begin
    execute format(
        'create temp table %I on commit drop as %s %s', p_table, feature.formula(p_inputs), p_query
    );
    execute format('analyze %I', p_table);
end
$$;
revoke all on function feature.evaluate(text, jsonb, text) from public;
comment on function feature.evaluate(text, jsonb, text) is
'Makes the temporary table p_table from p_query, which reads feature_1m, over p_inputs; it lasts '
'until commit. What p_query does not ask for is not computed. Errors: as of feature.formula().';
