-- depends: functions/feature/published_of functions/feature/refuse_formula
create or replace function feature.check_reach(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_formula constant text := feature.name_of(p_set, 'window_value');
    v_table text;
    v_problem record;
    v_series constant bigint := (select count(*) from window_output);
begin
    -- the series with all bars once more, without the others
    foreach v_table in array array['window_bar', 'window_output']
        || array(select 'window_bar_' || s from unnest(feature.sets_read(p_set)) as s)
    loop
        execute format('delete from %I as t where t.series_no %% 10 > 0', v_table);
    end loop;
    execute format('create temp table alone on commit drop as select * from feature.%I()', c_formula);

    select
        f.field,
        case
            when r.question is null then 'is given twice for a bar, or not at all'
            when r.question = 0 then 'reads other series: partition by tenant_id, symbol'
            when r.question = 1 then format(
                'reads bars beyond the %s bars and %s minutes that seeds/feature_set.csv gives the '
                'set: raise reach_bars or reach_minutes there, or make its frame shorter',
                c_set.bars, c_set.minutes
            )
            else 'reads bars that come later, which nobody knew: let it look back alone'
        end as rule
    into v_problem
    from (
        select
            a.series_no % 10 as question,
            to_jsonb(a) as got,
            to_jsonb(b) as wanted
        from together as a
        inner join alone as b on a.series_no / 10 = b.series_no / 10
        union all
        select
            null,
            '{}',
            null
        where
            (select count(*) from together) <> v_series
            or (select count(distinct t.series_no) from together as t) <> v_series
    ) as r
    inner join feature.published_field() as f on f.feature_set = p_set and not f.is_own
    where r.got -> f.field is distinct from r.wanted -> f.field or r.question is null
    order by r.question nulls first, f.place
    limit 1;
    drop table pg_temp.alone;
    if v_problem.field is not null then
        perform feature.refuse_formula(format('%s of %s %s', v_problem.field, p_set, v_problem.rule));
    end if;
end
$$;
revoke all on function feature.check_reach(text) from public;
comment on function feature.check_reach(text) is
'Refuses a set whose windows read farther back than its reach, later bars, or other series, or '
'give a bar twice, by what they gave over feature.make_trial_bars(), in the temporary table '
'together. Step of feature.try_windows(). Errors: 0A000 with the field.';
