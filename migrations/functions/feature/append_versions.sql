create or replace function feature.append_versions(
    p_set text, p_known_at timestamptz
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    c_definition constant integer := (
        select c.definition from feature.current_definition as c where c.feature_set = p_set
    );
    -- of versions from before definitions were noted
    c_first constant integer := (
        select min(d.definition) from feature.definition as d where d.feature_set = p_set
    );
    v_versions bigint;
begin
    -- of one field: insert into feature.log (..., x) select ..., n.x from next_version as n
    -- where not n.is_there or row(n.bucket, n.x) is distinct from row(..., (n.version).x)
    execute format(
        $q$
            insert into %4$s (tenant_id, symbol, bucket, known_at, cause, definition%1$s)
            select
                n.tenant_id, n.symbol, n.bucket, $1,
                case
                    when (n.version).known_at is null and n.is_there then 'close'
                    -- no tick is blamed for what other formulas may have changed
                    when coalesce(n.last_definition, $4) <> $3 then 'definition'
                    else $2[n.cause_rank]
                end, $3%2$s
            from next_version as n
            where
                not n.is_there
                -- the key, so that the lists can follow
                or row(n.bucket%2$s) is distinct from row((n.version).bucket%3$s)
            order by n.bucket, n.tenant_id, n.symbol
        $q$,
        feature.published_list(p_set, 'all', ', %I'), feature.published_list(p_set, 'all', ', n.%I'),
        feature.published_list(p_set, 'all', ', (n.version).%I'),
        (feature.published_of(p_set)).log
    ) using p_known_at, c_causes, c_definition, c_first;
    get diagnostics v_versions = row_count;
    if p_set <> 'market_1m' then
        return v_versions;
    end if;

    insert into feature.series (symbol, tenant_id)
    select distinct
        c.symbol,
        c.tenant_id
    from changed as c
    inner join own as o on c.series_no = o.series_no
    on conflict do nothing;

    insert into feature.restatement (
        tenant_id, symbol, bucket, known_at, cause, known_from, known_to
    )
    select
        c.tenant_id, c.symbol, c.bucket, p_known_at, c_causes[c.cause_rank], c.known_from,
        c.known_to
    from changed as c
    where
        (c.version).known_at is not null
        or exists (
            select from moved as m
            where
                m.tenant_id = c.tenant_id
                and m.symbol = c.symbol
                and m.bucket = c.bucket
                and m.is_followed
        );
    return v_versions;
end
$$;
revoke all on function feature.append_versions(text, timestamptz) from public;
comment on function feature.append_versions(text, timestamptz) is
'Appends to the log of the set p_set, with the stamp p_known_at, those of next_version that '
'differ from the last version, with the definition that is in use; of market_1m it notes new '
'series in feature.series, and in feature.restatement which bars'' ticks were behind it. Returns '
'the number of versions. Last step of feature.publish_set().';
