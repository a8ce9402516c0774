create or replace function feature.island_bars(
    p_log text, p_always text, p_fields text, p_limit text
) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select format(
        $q$
            (
                select distinct on (l.bucket)
                    l.bucket,
                    l.%2$I is not null as is_there%3$s
                from %1$s as l
                where
                    l.tenant_id = i.tenant_id
                    and l.symbol = i.symbol
                    and l.bucket > i.reached_from - $1 * interval '1 minute'
                    and l.bucket <= i.reached_to
                order by l.bucket desc, l.known_at desc
            )
            union all
            (
                select e.*
                from (
                    select distinct on (l.bucket)
                        l.bucket,
                        l.%2$I is not null as is_there%3$s
                    from %1$s as l
                    where
                        l.tenant_id = i.tenant_id
                        and l.symbol = i.symbol
                        and l.bucket <= i.reached_from - $1 * interval '1 minute'
                    order by l.bucket desc, l.known_at desc
                ) as e
                where e.is_there
                order by e.bucket desc
                limit %4$s
            )
        $q$,
        p_log, p_always, p_fields, p_limit
    )
$$;
revoke all on function feature.island_bars(text, text, text, text) from public;
comment on function feature.island_bars(text, text, text, text) is
'The query, lateral to island as i, of the newest versions that the log p_log has of its bars, of '
'those less than $1 minutes before it, and of p_limit bars that are there before these: bucket, '
'is_there (p_always is not NULL) and p_fields, as '', l.x''. Step of '
'feature.collect_island_bars() and feature.collect_read_bars().';
