create or replace function feature.define_formula(
    p_signature text, p_query text, p_comment text
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_name constant text := substring(p_signature from '^[^(]+');
    c_body constant text := e'\n' || p_query || e'\n';
begin
    -- unchanged: nothing for the audit
    if exists (select from pg_proc as p where p.oid = to_regproc(c_name) and p.prosrc = c_body) then
        return;
    end if;
    -- the temporary tables that it reads are made later
    perform set_config('check_function_bodies', 'off', true);
    execute format(
        'create or replace function %s language sql volatile '
        'set search_path = pg_catalog, market, staging, intermediate, feature, pg_temp '
        -- The planner cannot estimate the joins of the formulas. Without a sort ahead of it a GROUP
        -- BY adds up in the order of its input: ticks in order always give the same bits.
        'set enable_nestloop = off set enable_sort = off set jit = off set work_mem = ''64MB'' '
        'as %L',
        p_signature, c_body
    );
    execute format(
        'revoke all on function %s from public', to_regproc(c_name)::regprocedure
    );
    execute format(
        'comment on function %s is %L', to_regproc(c_name)::regprocedure, p_comment
    );
end
$$;
revoke all on function feature.define_formula(text, text, text) from public;
comment on function feature.define_formula(text, text, text) is
'Makes the function p_signature (name, arguments and what it returns) with the body p_query, '
'unless it is there with that body. For feature.compile().';
