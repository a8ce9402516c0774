create or replace function feature.passed_on(p_view regclass)
returns table (field text, relation regclass, source text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with token as (
        select
            t.found,
            -- an escaped brace is none; a column of the view itself is one level below its query
            sum(case t.found[1] when '{' then 1 when '}' then -1 else 0 end) over (order by t.place)
                as depth
        from pg_rewrite as r
        cross join regexp_matches(
            r.ev_action::text,
            '(\\.|[{}])'
            '|:resname (\S+) :ressortgroupref \d+ :resorigtbl (\d+) :resorigcol (\d+)', 'g'
        ) with ordinality as t (found, place)
        where r.ev_class = p_view and r.ev_type = '1'
    )

    select
        regexp_replace(t.found[2], '\\(.)', '\1', 'g'),
        nullif(t.found[3]::oid, 0)::regclass,
        a.attname::text
    from token as t
    left join pg_attribute as a on t.found[3]::oid = a.attrelid and t.found[4]::smallint = a.attnum
    where t.depth = 2 and t.found[2] is not null
$$;
revoke all on function feature.passed_on(regclass) from public;
comment on function feature.passed_on(regclass) is
'Of each column of a view (field) the relation and its column (source) that it is, unchanged, as '
'PostgreSQL notes it with the view''s query; NULL of one that the view computes.';
