-- depends: functions/feature/check_fields functions/feature/check_models
--   functions/feature/check_windows functions/feature/minutes_model functions/feature/passed_on
--   functions/feature/refuse_formula functions/feature/window_inputs
create or replace function feature.check_set(p_set market.feature_set) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_model constant regclass := format('feature.%I', p_set.model)::regclass;
    c_bars constant regclass := format('intermediate.%I', p_set.bar_model)::regclass;
    v_own text[];
    v_inputs text[];
    v_problem text;
begin
    select
        format(
            'set %s reads %s, %s', p_set.feature_set, i.name,
            case
                when c.field is null then 'which is no field of market.contract'
                else 'whose set has another grain: only the set that its bars are made of may have'
            end
        )
    into v_problem
    from market.contract as f
    cross join string_to_table(f.inputs, ' ') as i (name)
    left join market.contract as c
        on
            c.feature_set = case
                when position('.' in i.name) > 0 then split_part(i.name, '.', 1)
                else p_set.feature_set
            end
            and c.field = split_part(i.name, '.', case when position('.' in i.name) > 0 then 2 else 1 end)
    left join market.feature_set as s on c.feature_set = s.feature_set
    where
        f.feature_set = p_set.feature_set
        and (c.field is null or s.grain <> p_set.grain and s.feature_set <> p_set.made_of)
    limit 1;
    if v_problem is null and p_set.made_of <> 'tick' and not exists (
        select from market.feature_set as s
        where s.feature_set = p_set.made_of and s.made_of = 'tick'
    ) then
        v_problem := format(
            'set %s is made of %L, which is no set of one-minute bars', p_set.feature_set,
            p_set.made_of
        );
    end if;
    if v_problem is not null then
        perform feature.refuse_formula(v_problem || ': change seeds/ and run make migrate');
    end if;
    perform feature.check_models(p_set.feature_set, c_model, c_bars);
    perform feature.check_fields(p_set.feature_set, c_model, c_bars);
    v_own := array(
        select f.field
        from market.contract as f
        inner join feature.passed_on(c_model) as p on f.field = p.field
        where f.feature_set = p_set.feature_set and p.relation = c_bars
        order by f.ordinal
    );
    v_inputs := feature.window_inputs(p_set.feature_set, v_own);
    select i.name
    into v_problem
    from unnest(v_inputs) as i (name)
    inner join market.feature_set as s on split_part(i.name, '.', 1) = s.feature_set
    where position('.' in i.name) > 0 and s.grain <> p_set.grain
    limit 1;
    if v_problem is not null then
        perform feature.refuse_formula(format(
            'windows of %s read %s, a field of bars of another length: let %s make an own field of '
            'it', p_set.feature_set, v_problem, c_bars
        ));
    end if;
    perform feature.check_windows(p_set.feature_set, c_model, c_bars, v_inputs);
    return v_own;
end
$$;
revoke all on function feature.check_set(market.feature_set) from public;
comment on function feature.check_set(market.feature_set) is
'Refuses a set whose models or lines of the contract break a rule; returns the fields that a bar '
'of it has by itself. For feature.compile(). Errors: 0A000 with the set, model or field, the rule '
'and what to do.';
