create or replace function feature.newest_bars(
    p_log text, p_always text, p_fields text, p_bars integer, p_minutes integer, p_is_own boolean
) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select format(
        $q$
            (
                select e.*
                from (
                    select b.bucket%3$s
                    from (
                        select distinct on (l.bucket) l.bucket, l.%2$I is not null as is_there%7$s
                        from %1$s as l
                        where
                            l.tenant_id = newest_bar.tenant_id
                            and l.symbol = newest_bar.symbol
                            and l.bucket <= newest_bar.bucket - %5$s * interval '1 minute'
                            and l.bucket %6$s newest_bar.bucket
                        order by l.bucket desc, l.known_at desc
                    ) as b
                    where b.is_there
                    order by b.bucket desc
                    limit %4$s
                ) as e
                order by e.bucket
            )
            union all
            (
                select b.bucket%3$s
                from (
                    select distinct on (l.bucket) l.bucket, l.%2$I is not null as is_there%7$s
                    from %1$s as l
                    where
                        l.tenant_id = newest_bar.tenant_id
                        and l.symbol = newest_bar.symbol
                        and l.bucket > newest_bar.bucket - %5$s * interval '1 minute'
                        and l.bucket %6$s newest_bar.bucket
                    order by l.bucket, l.known_at desc
                ) as b
                where b.is_there
            )
        $q$,
        p_log, p_always, replace(p_fields, ', ', ', b.'), p_bars + 1, p_minutes,
        case when p_is_own then '<' else '<=' end, replace(p_fields, ', ', ', l.')
    )
$$;
revoke all on function feature.newest_bars(text, text, text, integer, integer, boolean) from public;
comment on function feature.newest_bars(text, text, text, integer, integer, boolean) is
'The query, lateral to newest_bar with tenant_id, symbol and bucket, of what windows of that bar '
'read of the log p_log, upwards in time: bucket and p_fields, as '', x'', of the newest versions '
'of the bars that are there (p_always is not NULL), those less than p_minutes before it and p_bars '
'+ 1 before these; with that bar itself unless p_is_own. For feature.newest_query().';
