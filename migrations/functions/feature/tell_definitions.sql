create or replace function feature.tell_definitions(
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_buckets timestamptz[],
    p_known_at timestamptz[],
    p_parts bigint[] default null,
    p_log text default null
) returns boolean
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_told text;
begin
    execute format(
        $q$
            with made as materialized (
                select
                    a.part,
                    coalesce(v.definition, $5) as definition,
                    sum(a.rows) as rows
                from (
                    select
                        coalesce(r.tenant_id, s.tenant_id) as tenant_id,
                        r.symbol,
                        r.bucket,
                        r.known_at,
                        r.part,
                        count(*) as rows
                    from unnest($1, $2, $3, $4, $6) as r (tenant_id, symbol, bucket, known_at, part)
                    left join feature.series as s on r.tenant_id is null and r.symbol = s.symbol
                    where r.bucket is not null
                    group by 1, 2, 3, 4, 5
                ) as a
                -- by the key, one by one
                cross join lateral (
                    select l.definition
                    from %1$s as l
                    where
                        l.tenant_id = a.tenant_id
                        and l.symbol = a.symbol
                        and l.bucket = a.bucket
                        and l.known_at = a.known_at
                        and l.bucket between %2$L and %3$L
                    limit 1
                ) as v
                group by a.part, coalesce(v.definition, $5)
            )

            select string_agg(
                format('%%s made %%s', d.definition, d.rows), ', ' order by d.definition
            )
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
            )
        $q$,
        coalesce(p_log, format('feature.%I', feature.name_of(p_set, 'log'))),
        (select min(b.bucket) from unnest(p_buckets) as b (bucket)),
        (select max(b.bucket) from unnest(p_buckets) as b (bucket))
    )
    into v_told
    using
        p_tenant_ids, p_symbols, p_buckets, p_known_at,
        (select min(d.definition) from feature.definition as d where d.feature_set = p_set),
        p_parts;
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
revoke all on function feature.tell_definitions(
    text, integer[], text[], timestamptz[], timestamptz[], bigint[], text
) from public;
comment on function feature.tell_definitions(
    text, integer[], text[], timestamptz[], timestamptz[], bigint[], text
) is
'Warns whoever asks where the versions that answer him, of the set p_set, were made by more than '
'one definition: which, and how many rows each. A version from before definitions were noted '
'counts as of the set''s first. p_tenant_ids (NULL: the one that has the symbol), p_symbols, '
'p_buckets, p_known_at: the answer''s rows, element by element; those without a bar count for '
'nothing. p_parts: of answers that are put together of several, which one each row is of: each has '
'told its own, so that only what those warnings lack is said. p_log: which log, as '
'feature.former_log() says, default the one in use. Returns true.';
