-- depends: functions/feature/refuse_twice
create or replace function feature.evaluate(
    p_formula text, p_result text, p_inputs text[], p_owners text
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        'create temp table %I on commit drop as select * from feature.%I()', p_result, p_formula
    );
    perform feature.refuse_twice(p_result);
    execute format('analyze %I', p_result);
exception
    -- what values can do to a formula; a formula that is not there, a lock, a cancel are no value's
    when data_exception or cardinality_violation or feature_not_supported
        or integrity_constraint_violation or plpgsql_error or external_routine_exception then
        perform feature.evaluate_apart(p_formula, p_result, p_inputs, p_owners);
end
$$;
revoke all on function feature.evaluate(text, text, text[], text) from public;
comment on function feature.evaluate(text, text, text[], text) is
'Makes the temporary table p_result of what feature.p_formula() gives; where that fails, of what '
'it gives for the series that it does not fail for: see feature.evaluate_apart(). p_formula: '
'own_value or window_value; p_inputs: the temporary tables that it reads, each with a column '
'series_no; p_owners: a query of series_no, tenant_id and symbol, which series each of these '
'numbers is of.';
