create or replace function feature.make_next_versions(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_has_windows constant boolean := feature.published_list(p_set, 'window', '%s') <> '';
begin
    if not c_has_windows then
        create temp table moved (
            tenant_id integer, symbol text, bucket timestamptz, cause_rank integer,
            is_followed boolean
        ) on commit drop;
        create temp table island (
            series_no integer, tenant_id integer, symbol text, reached_from timestamptz
        ) on commit drop;
        create temp table window_value (series_no integer, bucket timestamptz) on commit drop;
    end if;
    -- Of a bar's own field x and a window's w: select ..., o.x, case when t.bucket is null then
    -- (c.version).w else t.w end as w ... union all select ..., (t.version).x, t.w ...
    execute format(
        $q$
            create temp table next_version on commit drop as
            with moved_by as (
                select
                    i.series_no,
                    t.bucket,
                    max(m.cause_rank) as cause_rank
                from island as i
                inner join window_value as t on i.series_no = t.series_no
                inner join moved as m
                    on
                        i.tenant_id = m.tenant_id
                        and i.symbol = m.symbol
                        and m.bucket between i.reached_from and t.bucket
                group by i.series_no, t.bucket
            ),

            trailing_value as (
                select
                    i.tenant_id,
                    i.symbol,
                    t.bucket%2$s,
                    m.cause_rank
                from island as i
                inner join window_value as t on i.series_no = t.series_no
                left join moved_by as m on t.series_no = m.series_no and t.bucket = m.bucket
            ),

            changed_value as (
                select
                    c.tenant_id,
                    c.symbol,
                    c.bucket%1$s%3$s,
                    greatest(c.cause_rank, t.cause_rank) as cause_rank,
                    c.version
                from changed as c
                inner join own as o on c.series_no = o.series_no
                left join trailing_value as t
                    on c.tenant_id = t.tenant_id and c.symbol = t.symbol and c.bucket = t.bucket
            ),

            gone as (
                select
                    c.tenant_id,
                    c.symbol,
                    c.bucket,
                    c.cause_rank,
                    (c.version).definition as last_definition
                from changed as c
                where
                    (c.version).%6$I is not null
                    and not exists (select from own as o where o.series_no = c.series_no)
            ),

            reached_value as (
                select
                    t.*,
                    v.version
                from (
                    select t.*
                    from trailing_value as t
                    where not exists (
                        select from changed as c
                        where c.tenant_id = t.tenant_id and c.symbol = t.symbol and c.bucket = t.bucket
                    )
                    -- before the log is asked
                    offset 0
                ) as t
                cross join lateral (
                    select l as version
                    from %7$s as l
                    where l.tenant_id = t.tenant_id and l.symbol = t.symbol and l.bucket = t.bucket
                    order by l.known_at desc
                    limit 1
                ) as v
            )

            select c.*, (c.version).definition as last_definition, true as is_there
            from changed_value as c
            union all
            select
                t.tenant_id, t.symbol, t.bucket%4$s%2$s, t.cause_rank, t.version,
                (t.version).definition, true
            from reached_value as t
            union all
            select
                g.tenant_id, g.symbol, g.bucket%5$s, g.cause_rank, null, g.last_definition, false
            from gone as g
        $q$,
        feature.published_list(p_set, 'own', ', o.%I'),
        feature.published_list(p_set, 'window', ', t.%I'),
        feature.published_list(
            p_set, 'window', ', case when t.bucket is null then (c.version).%1$I else t.%1$I end as %1$I'
        ),
        feature.published_list(p_set, 'own', ', (t.version).%I'),
        feature.published_list(p_set, 'all', ', null'),
        c_set.always, c_set.log
    );
end
$$;
revoke all on function feature.make_next_versions(text) from public;
comment on function feature.make_next_versions(text) is
'Makes the temporary table next_version: what each bar of changed, and each bar that an island '
'reaches, is now: tenant_id, symbol, bucket, the fields of feature.published_field(), cause_rank, '
'version, its last one in the log (NULL of a bar that has gone), last_definition, what that was '
'made by, and is_there, false of a bar that has gone, whose values are NULL. Step of '
'feature.publish().';
