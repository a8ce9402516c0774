-- depends: functions/feature/name_of functions/feature/published_list
create or replace function feature.evaluate_newest(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
-- values go through the text of a query, to the bit
set extra_float_digits = 1
set datestyle = 'ISO'
-- a group of series for each processor
set parallel_setup_cost = 0
set parallel_tuple_cost = 0
as $$
declare
    c_formula constant text := 'feature.' || feature.name_of(p_set, 'newest_value');
    -- for fewer a worker takes longer to begin than they do
    c_group constant integer := 100;
    v_series integer;
    v_query text;
begin
    if to_regproc(c_formula) is null then
        return;
    end if;
    execute format(
        $q$
            create temp table newest on commit drop as
            select
                i.*,
                m.bucket%s
            from island as i
            inner join moved as m
                on
                    i.tenant_id = m.tenant_id
                    and i.symbol = m.symbol
                    and i.reached_from = m.bucket
                    and not m.is_followed
            inner join changed as c
                on m.tenant_id = c.tenant_id and m.symbol = c.symbol and m.bucket = c.bucket
            inner join own as o on c.series_no = o.series_no
            where not exists (
                select from moved as l
                where
                    l.tenant_id = i.tenant_id
                    and l.symbol = i.symbol
                    and l.bucket > i.reached_from
                    and l.bucket <= i.reached_to
            )
        $q$,
        feature.published_list(p_set, 'input', ', o.%I')
    );
    get diagnostics v_series = row_count;
    -- a worker of a parallel query cannot read temporary tables
    execute format(
        $q$
            select string_agg(
                format(
                    'select * from %1$s(%%L, %%L, %%L, %%L%2$s)',
                    g.series_no, g.tenant_id, g.symbol, g.bucket%3$s
                ), ' union all '
            )
            from (
                select
                    array_agg(n.series_no) as series_no,
                    array_agg(n.tenant_id) as tenant_id,
                    array_agg(n.symbol) as symbol,
                    array_agg(n.bucket) as bucket%4$s
                from newest as n
                group by n.series_no %% $1
            ) as g
        $q$,
        c_formula, feature.published_list(p_set, 'input', ', %%L'),
        feature.published_list(p_set, 'input', ', g.%I'),
        feature.published_list(p_set, 'input', ', array_agg(n.%1$I) as %1$I')
    ) into v_query using least(
        1 + current_setting('max_parallel_workers_per_gather')::integer,
        1 + v_series / c_group
    );
    if v_query is null then
        drop table pg_temp.newest;
        return;
    end if;
    execute 'create temp table newest_value on commit drop as ' || v_query;
    delete from island as i
    using newest as n
    where i.series_no = n.series_no;
exception
    -- as feature.evaluate(), which finds out whose values they are
    when data_exception or cardinality_violation or feature_not_supported
        or integrity_constraint_violation or plpgsql_error or external_routine_exception then
        return;
end
$$;
revoke all on function feature.evaluate_newest(text) from public;
comment on function feature.evaluate_newest(text) is
'Evaluates windows of the set p_set for the bars that are the newest of their series and the only '
'one of an island: most of a publish. Takes these islands out of the temporary table island into '
'newest, and makes newest_value of them, with the columns of window_value. Where there are none, '
'or a formula fails, it does nothing. Step of feature.evaluate_windows().';
