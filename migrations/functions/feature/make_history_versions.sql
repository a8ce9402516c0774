create or replace function feature.make_history_versions(p_set text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
begin
    -- of one field: select ..., c.x ... where row(c.is_there, c.x) is distinct from
    -- row((c.last).is_there, (c.last).x)
    execute format(
        $q$
            create temp table history_version on commit drop as
            with compared as (
                select
                    t.*,
                    lag(t) over by_time as last,
                    count(*) filter (where t.is_there) over (
                        by_time rows between unbounded preceding and 1 preceding
                    ) as versions_before
                from timeline as t
                window by_time as (partition by t.series_no, t.bucket order by t.known_at)
            )

            select
                s.tenant_id, s.symbol, c.bucket, c.known_at,
                case when c.versions_before = 0 then 'close' else $1[c.cause_rank] end as cause%1$s
            from compared as c
            inner join slice as s on c.series_no = s.series_no
            where
                row(c.is_there%1$s)
                is distinct from row(coalesce((c.last).is_there, false)%2$s)
            order by c.bucket, s.tenant_id, s.symbol, c.known_at
        $q$,
        feature.published_list(p_set, 'all', ', c.%I'), feature.published_list(p_set, 'all', ', (c.last).%I')
    ) using c_causes;
    analyze history_version;
end
$$;
revoke all on function feature.make_history_versions(text) from public;
comment on function feature.make_history_versions(text) is
'Makes the temporary table history_version: those rows of timeline whose values differ from the '
'moment before, as versions: tenant_id, symbol, bucket, known_at, cause and the fields of '
'feature.published_field(). Step of feature.backfill_slice().';
