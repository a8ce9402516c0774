create or replace function feature.evaluate_apart(
    p_formula text, p_result text, p_inputs text[], p_owners text
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_stretches int4range[];
    v_stretch int4range;
    v_middle integer;
    v_input text;
    v_sqlstate text;
    v_message text;
begin
    create temp table if not exists pg_temp.failed (
        tenant_id integer, symbol text, sqlstate text, message text
    ) on commit drop;
    execute format(
        'create temp table owner on commit drop as '
        'select o.*, dense_rank() over (order by o.tenant_id, o.symbol)::integer as place '
        'from (%s) as o', p_owners
    );
    analyze owner;
    foreach v_input in array p_inputs loop
        execute format('create temp table %1$I on commit drop as select * from %2$I',
            v_input || '_all', v_input);
        execute format('truncate %I', v_input);
    end loop;
    -- the columns, of nothing
    execute format(
        'create temp table %I on commit drop as select * from feature.%I()', p_result, p_formula
    );

    -- Halves: of a thousand series with one that fails, some twenty evaluations of ever fewer.
    select array[int4range(1, max(o.place), '[]')] into v_stretches from owner as o;
    while cardinality(v_stretches) > 0 loop
        v_stretch := v_stretches[1];
        v_stretches := v_stretches[2:];
        foreach v_input in array p_inputs loop
            execute format('truncate %I', v_input);
            execute format(
                'insert into %1$I select i.* from %2$I as i where i.series_no in '
                '(select o.series_no from owner as o where o.place <@ $1) '
                -- sums depend on the order
                'order by i.ctid',
                v_input, v_input || '_all'
            ) using v_stretch;
            execute format('analyze %I', v_input);
        end loop;
        begin
            execute format('insert into %I select * from feature.%I()', p_result, p_formula);
            perform feature.refuse_twice(p_result);
        exception
            when data_exception or cardinality_violation or feature_not_supported
                or integrity_constraint_violation or plpgsql_error or external_routine_exception then
                get stacked diagnostics
                    v_sqlstate = returned_sqlstate, v_message = message_text;
                if upper(v_stretch) - lower(v_stretch) = 1 then
                    insert into failed (tenant_id, symbol, sqlstate, message)
                    select distinct
                        o.tenant_id,
                        o.symbol,
                        v_sqlstate,
                        v_message
                    from owner as o
                    where o.place <@ v_stretch;
                else
                    v_middle := (lower(v_stretch) + upper(v_stretch)) / 2;
                    v_stretches := array[
                        int4range(lower(v_stretch), v_middle), int4range(v_middle, upper(v_stretch))
                    ] || v_stretches;
                end if;
        end;
    end loop;

    -- as they were: another set reads the same ticks
    foreach v_input in array p_inputs loop
        execute format('truncate %I', v_input);
        execute format('insert into %1$I select i.* from %2$I as i order by i.ctid', v_input,
            v_input || '_all');
        execute format('drop table %I', v_input || '_all');
    end loop;
    drop table pg_temp.owner;
    execute format('analyze %I', p_result);
end
$$;
revoke all on function feature.evaluate_apart(text, text, text[], text) from public;
comment on function feature.evaluate_apart(text, text, text[], text) is
'Makes the temporary table p_result of what feature.p_formula() gives for the series that it does '
'not fail for, found by halves, and adds the others to the temporary table failed, with sqlstate '
'and message of each. Arguments as of feature.evaluate(), which calls it.';
