-- depends: functions/feature/name_of functions/feature/passed_on functions/feature/refuse_formula
create or replace function feature.check_fields(
    p_set text, p_model regclass, p_bars regclass
) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    -- what joins by the key and passes columns on says nothing but names
    c_more constant text := '[-+*/<>=~!@#%^&|?:'']|\w\(|(?<!left )\mjoin\M'
        '|\m(where|case|is|in|like|between|not|or|distinct|group|having|limit|offset|fetch'
        '|union|except|intersect|exists|over|lateral)\M';
    c_log constant text := 'feature.' || feature.name_of(p_set, 'log');
    v_problem record;
begin
    for v_problem in
        with found as (
            select
                c.ordinal,
                c.field,
                c.data_type,
                to_regtype(c.data_type) as type,
                m.atttypid as found_type,
                l.atttypid as log_type,
                p.relation,
                p.source,
                exists (
                    select from pg_attribute as b
                    where b.attrelid = p_bars and b.attname = c.field and not b.attisdropped
                ) as is_own
            from (
                select 0 as ordinal, k.field, k.data_type
                from (
                    values
                    ('tenant_id', 'integer'), ('symbol', 'text'),
                    ('bucket', 'timestamp with time zone')
                ) as k (field, data_type)
                union all
                select c.ordinal, c.field, c.data_type from market.contract as c
                where c.feature_set = p_set
            ) as c
            left join pg_attribute as m on m.attrelid = p_model and c.field = m.attname
            left join pg_attribute as l
                on l.attrelid = c_log::regclass and c.field = l.attname
            left join feature.passed_on(p_model) as p on c.field = p.field
        )

        select
            f.field,
            case
                when f.found_type is null
                    then format('is no column of %s: add it there, or take its line out of '
                        'seeds/smartdb_contract.csv and run make migrate', p_model)
                when f.type is distinct from f.found_type
                    then format('is %s in market.contract and %s in %s: change one of the two',
                        f.data_type, f.found_type::regtype, p_model)
                when f.log_type is distinct from f.found_type
                    then format('is no column of %s with type %s: run make migrate', c_log,
                        f.data_type)
                when f.is_own and (f.relation, f.source) is distinct from (p_bars, f.field)
                    then format('of %s is not that of %s: compute it there, and pass it on as it '
                        'is', p_model, p_bars)
                when not f.is_own and coalesce(f.relation, p_bars) = p_bars
                    then format('of %s is not a column of a view of windows: compute it in a '
                        'model behind it, and pass it on as it is', p_model)
            end as rule
        from found as f
        union all
        select
            p_model::text,
            'does more than left join by tenant_id, symbol and bucket and pass columns on, which '
            'no publish would compute: do it in a model behind it'
        where regexp_replace(
            pg_get_viewdef(p_model), '(\w+\.)?(tenant_id|symbol|bucket) = (\w+\.)?\2', '', 'g'
        ) ~* c_more
        union all
        select format('set %s', p_set), 'has no field in market.contract: run make migrate'
        where not exists (select from market.contract as c where c.feature_set = p_set)
    loop
        if v_problem.rule is not null then
            perform feature.refuse_formula(v_problem.field || ' ' || v_problem.rule);
        end if;
    end loop;
end
$$;
revoke all on function feature.check_fields(text, regclass, regclass) from public;
comment on function feature.check_fields(text, regclass, regclass) is
'Refuses p_model where it is not the fields of the set p_set in market.contract, in type and name, '
'each as its bar model p_bars or a view of windows has it, one row per bar; and a field that its '
'log does not hold. Errors: 0A000 with the field, the rule that it breaks and what to do.';
