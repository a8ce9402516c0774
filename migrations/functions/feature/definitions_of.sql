-- depends: functions/feature/name_of
create or replace function feature.definitions_of(
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_buckets timestamptz[],
    p_known_at timestamptz[]
) returns integer[]
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    v_definitions integer[];
begin
    execute format(
        $q$
            select array_agg(v.definition order by r.place)
            from (
                select
                    coalesce(u.tenant_id, s.tenant_id) as tenant_id,
                    u.symbol,
                    u.bucket,
                    u.known_at,
                    u.place
                from unnest($1, $2, $3, $4)
                    with ordinality as u (tenant_id, symbol, bucket, known_at, place)
                left join feature.series as s on u.tenant_id is null and u.symbol = s.symbol
            ) as r
            -- by the key, one by one
            left join lateral (
                select l.definition
                from feature.%1$I as l
                where
                    l.tenant_id = r.tenant_id
                    and l.symbol = r.symbol
                    and l.bucket = r.bucket
                    and l.known_at = r.known_at
                    and l.bucket between %2$L and %3$L
                limit 1
            ) as v on true
        $q$,
        feature.name_of(p_set, 'log'), (select min(b.bucket) from unnest(p_buckets) as b (bucket)),
        (select max(b.bucket) from unnest(p_buckets) as b (bucket))
    )
    into v_definitions
    using p_tenant_ids, p_symbols, p_buckets, p_known_at;
    return v_definitions;
end
$$;
revoke all on function feature.definitions_of(
    text, integer[], text[], timestamptz[], timestamptz[]
) from public;
comment on function feature.definitions_of(
    text, integer[], text[], timestamptz[], timestamptz[]
) is
'The definition that made each row of an answer of the set p_set. p_tenant_ids (NULL: the one that '
'has the symbol), p_symbols, p_buckets, p_known_at: the rows, element by element.';
