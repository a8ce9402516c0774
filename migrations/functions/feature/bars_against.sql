create or replace function feature.bars_against(
    p_set text, p_from timestamptz, p_to timestamptz
) returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_log constant text := 'feature.' || feature.name_of(p_set, 'log');
    v_is_there boolean;
    v_against jsonb;
begin
    -- nearly always nothing was said of these bars before: then there is nothing to compare
    execute format(
        'select exists (select from slice as s cross join lateral (select from %s as l '
        'where l.tenant_id = s.tenant_id and l.symbol = s.symbol and l.bucket >= $1 '
        'and l.bucket < $2 limit 1) as l)', c_log
    ) into v_is_there using p_from, p_to;
    if not v_is_there then
        return '{}'::jsonb;
    end if;
    -- of one field: row(l.bucket, l.x) is distinct from row(h.bucket, h.x)
    execute format(
        $q$
            select coalesce(jsonb_object_agg(b.name, b.bars), '{}'::jsonb)
            from (
                select
                    format('%%s of tenant %%s', h.symbol, h.tenant_id) as name,
                    count(distinct h.bucket) as bars
                from history_version as h
                cross join lateral (
                    select l.*
                    from %3$s as l
                    where
                        l.tenant_id = h.tenant_id
                        and l.symbol = h.symbol
                        and l.bucket = h.bucket
                        and l.known_at <= h.known_at
                    order by l.known_at desc
                    limit 1
                ) as l
                where row(l.bucket%1$s) is distinct from row(h.bucket%2$s)
                group by h.tenant_id, h.symbol
            ) as b
        $q$,
        feature.published_list(p_set, 'all', ', l.%I'), feature.published_list(p_set, 'all', ', h.%I'),
        c_log
    ) into v_against;
    return v_against;
end
$$;
revoke all on function feature.bars_against(text, timestamptz, timestamptz) from public;
comment on function feature.bars_against(text, timestamptz, timestamptz) is
'Bars with bucket in [p_from, p_to) whose versions in the log are others than history_version has '
'for the same moments, because ticks came since: number of bars by series, as "SYMBOL of tenant '
'N". What was said stays said. Step of feature.backfill_slice().';
