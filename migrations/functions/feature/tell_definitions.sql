create or replace function feature.tell_definitions(
    p_set text, p_definitions integer[], p_parts bigint[] default null
) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_first integer;
    v_told text;
begin
    -- nearly always one has made them all
    if not exists (
        select from unnest(p_definitions) as d (definition)
        where d.definition is distinct from p_definitions[1]
    ) then
        return true;
    end if;
    select min(d.definition) into v_first from feature.definition as d where d.feature_set = p_set;
    with made as (
        select
            r.part,
            coalesce(r.definition, v_first) as definition,
            count(*) as rows
        from unnest(p_definitions, p_parts) as r (definition, part)
        group by 1, 2
    )

    select string_agg(format('%s made %s', d.definition, d.rows), ', ' order by d.definition)
    into v_told
    from (
        select
            m.definition,
            sum(m.rows) as rows
        from made as m
        group by m.definition
    ) as d
    having count(*) > (
        select coalesce(max(t.definitions) filter (where t.part is not null), 1)
        from (select m.part, count(*) as definitions from made as m group by m.part) as t
    );
    if v_told is not null then
        raise warning 'rows of % are of several definitions: %', p_set, v_told
            using hint = 'Other formulas made them, their values need not compare: feature.definition, for '
                'tenants api.definition, says which. Ask apart for what one has made: the column '
                'definition of feature.log, of each set''s log and of api.feature_version names it. '
                'feature.rebuild() makes all of the one in use.';
    end if;
    return true;
end
$$;
revoke all on function feature.tell_definitions(text, integer[], bigint[]) from public;
comment on function feature.tell_definitions(text, integer[], bigint[]) is
'Warns whoever asks where the versions that answer him, of the set p_set, were made by more than '
'one definition: which, and how many rows each. p_definitions: of each row that has a bar; NULL, '
'from before definitions were noted, counts as the set''s first. p_parts: of answers that are put '
'together of several, which one each row is of: each has told its own, so that only what those '
'warnings lack is said. Returns true.';
