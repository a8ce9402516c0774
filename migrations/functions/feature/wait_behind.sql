-- depends: functions/feature/published_of
create or replace function feature.wait_behind(p_set text, p_born_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- as feature.append_history() does for the first set
    execute format(
        $q$
            insert into feature.waiting_bar (
                feature_set, tenant_id, symbol, bucket, closes_at, cause, bars_before
            )
            select
                $1, s.tenant_id, s.symbol, n.bucket, n.closes_at, 'late', true
            from slice as s
            inner join (
                select
                    t.series_no,
                    min(t.bucket) as first,
                    max(t.bucket) as last
                from timeline as t
                where t.is_there
                group by t.series_no
            ) as h on s.series_no = h.series_no
            cross join lateral (
                (
                    select l.bucket, max(l.closes_at) as closes_at
                    from %1$s as l
                    where
                        l.tenant_id = s.tenant_id
                        and l.symbol = s.symbol
                        and l.bucket > h.first
                        and l.bucket <= h.last
                    group by l.bucket
                    having max(l.known_at) > $2
                )
                union all
                (
                    select l.bucket, l.closes_at
                    from %1$s as l
                    where
                        l.tenant_id = s.tenant_id
                        and l.symbol = s.symbol
                        and l.bucket > h.last
                        and l.closes_at is not null
                    order by l.bucket
                    limit 1
                )
            ) as n
            where n.closes_at is not null
            on conflict (feature_set, tenant_id, symbol, bucket) do update set bars_before = true
        $q$,
        (feature.published_of(p_set)).log
    ) using p_set, p_born_at;
end
$$;
revoke all on function feature.wait_behind(text, timestamptz) from public;
comment on function feature.wait_behind(text, timestamptz) is
'Queues in feature.waiting_bar the bars of the set p_set within the history that was just '
'appended, and the first one behind it, that had been published: their windows were short. Step of '
'feature.append_history().';
