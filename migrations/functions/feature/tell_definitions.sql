create or replace function feature.tell_definitions(
    p_set text, p_made_by integer[], p_parts bigint[] default null
) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_first integer;
    v_told text;
begin
    -- nearly always one has made them all, whole
    if coalesce(p_made_by[1], 0) >= 0 and not exists (
        select from unnest(p_made_by) as m (made_by)
        where m.made_by is distinct from p_made_by[1]
    ) then
        return true;
    end if;
    select min(d.definition) into v_first from feature.definition as d where d.feature_set = p_set;
    with made as (
        select
            r.part,
            coalesce(abs(r.made_by), v_first) as definition,
            count(*) as rows,
            count(*) filter (where r.made_by < 0 and p_parts is null) as mixed
        from unnest(p_made_by, p_parts) as r (made_by, part)
        group by 1, 2
    )

    select
        string_agg(
            format('%s made %s', d.definition, d.rows)
            || case when d.mixed > 0 then format(', %s of them over another''s', d.mixed) else '' end,
            ', ' order by d.definition
        )
    into v_told
    from (
        select
            m.definition,
            sum(m.rows) as rows,
            sum(m.mixed) as mixed
        from made as m
        group by m.definition
    ) as d
    having
        sum(d.mixed) > 0
        or count(*) > (
            select coalesce(max(t.definitions) filter (where t.part is not null), 1)
            from (select m.part, count(*) as definitions from made as m group by m.part) as t
        );
    if v_told is not null then
        raise warning 'rows of % are of several definitions: %', p_set, v_told
            using hint = 'Other formulas made them, their values need not compare: feature.definition, for '
                'tenants api.definition, says which. A version made over another''s, with the cause '
                'definition, keeps what its publish did not compute again. Ask apart for what one has '
                'made: the column definition of feature.log, of each set''s log and of '
                'api.feature_version names it. feature.rebuild() makes all of the one in use.';
    end if;
    return true;
end
$$;
revoke all on function feature.tell_definitions(text, integer[], bigint[]) from public;
comment on function feature.tell_definitions(text, integer[], bigint[]) is
'Warns whoever asks where the versions that answer him, of the set p_set, were made by more than '
'one definition: which, and how many rows each. p_made_by: the definition of each row that has a '
'bar; negative where a publish has made it over a version of another (its cause is definition), of '
'which it may keep values; NULL, from before definitions were noted, counts as the set''s first. '
'p_parts: of answers that are put together of several, which one each row is of: each has told its '
'own, so that only what those warnings lack is said. Returns true.';
