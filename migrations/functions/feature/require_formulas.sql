create or replace function feature.require_formulas() returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_missing constant text := (
        select string_agg(m.name, ', ')
        from unnest(array['own_value', 'published_set', 'published_field']) as m (name)
        where to_regproc('feature.' || m.name) is null
    );
begin
    if v_missing is not null then
        raise exception 'the dbt models are not compiled in this database: feature.% missing',
            v_missing
            using errcode = 'undefined_table',
            hint = 'The formulas live in the dbt models: run "dbt run" (make dbt ARGS=run).';
    end if;
end
$$;
revoke all on function feature.require_formulas() from public;
grant execute on function feature.require_formulas() to market_operator;
comment on function feature.require_formulas() is
'Does nothing where feature.compile() has made the formulas. Errors: 42P01 else.';
