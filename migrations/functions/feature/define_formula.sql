create or replace function feature.define_formula(
    p_signature text, p_query text, p_comment text,
    p_options text default
    -- The planner cannot estimate the joins of the formulas. Without a sort ahead of it a GROUP BY
    -- adds up in the order of its input: ticks in order always give the same bits.
    'volatile set enable_nestloop = off set enable_sort = off set jit = off set work_mem = ''64MB'''
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_name constant text := substring(p_signature from '^[^(]+');
    c_arguments constant text := substring(p_signature from '\((.*?)\) returns ');
    -- of two arguments that are given back, a record
    c_result constant text := coalesce(substring(p_signature from '\) returns (.*)$'), 'record');
    c_body constant text := e'\n' || p_query || e'\n';
    v_there record;
begin
    select
        p.oid::regprocedure as name,
        p.prosrc,
        pg_get_function_identity_arguments(p.oid) as arguments,
        pg_get_function_result(p.oid) as result,
        obj_description(p.oid, 'pg_proc') as said
    into v_there
    from pg_proc as p
    where p.oid = to_regproc(c_name);
    -- unchanged: nothing for the audit
    if v_there.prosrc = c_body and v_there.result = c_result and v_there.said = p_comment then
        return;
    elsif v_there.result <> c_result or v_there.arguments <> c_arguments then
        -- other columns, which nothing else can depend on
        execute format('drop function %s', v_there.name);
    end if;
    -- the temporary tables that it reads are made later
    perform set_config('check_function_bodies', 'off', true);
    execute format(
        'create or replace function %s language sql '
        'set search_path = pg_catalog, market, staging, intermediate, feature, pg_temp %s as %L',
        p_signature, p_options, c_body
    );
    execute format(
        'revoke all on function %s from public', to_regproc(c_name)::regprocedure
    );
    execute format(
        'comment on function %s is %L', to_regproc(c_name)::regprocedure, p_comment
    );
end
$$;
revoke all on function feature.define_formula(text, text, text, text) from public;
comment on function feature.define_formula(text, text, text, text) is
'Makes the function p_signature (name, arguments and what it returns) with the body p_query, '
'unless it is there with that body and comment. What it returns is written as '
'pg_get_function_result() says it; p_options: how it is planned and run. For feature.compile().';
