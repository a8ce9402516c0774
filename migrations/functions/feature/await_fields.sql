-- depends: functions/feature/name_of
create or replace function feature.await_fields(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- the first and the last bar, by the key: a log is long
    execute format(
        $q$
            insert into feature.waiting_field (
                feature_set, tenant_id, symbol, field, known_after, known_to, buckets
            )
            select
                f.feature_set,
                s.tenant_id,
                s.symbol,
                f.field,
                e.ended_at,
                c.published_at,
                tstzmultirange(tstzrange(n.first, n.last, '[]'))
            from feature.published_field() as f
            cross join feature.clock as c
            cross join lateral (
                select coalesce(max(b.ended_at), '-infinity') as ended_at
                from feature.birth as b
                where b.feature_set = f.feature_set and b.field = f.field
            ) as e
            cross join feature.series as s
            cross join lateral (
                select
                    (
                        select l.bucket
                        from %1$s as l
                        where l.tenant_id = s.tenant_id and l.symbol = s.symbol
                        order by l.bucket
                        limit 1
                    ) as first,
                    (
                        select l.bucket
                        from %1$s as l
                        where l.tenant_id = s.tenant_id and l.symbol = s.symbol
                        order by l.bucket desc
                        limit 1
                    ) as last
            ) as n
            where
                f.feature_set = $1
                and f.place > 0
                and n.first is not null
                and e.ended_at < c.published_at
                and not exists (
                    select from feature.birth as b
                    where
                        b.feature_set = f.feature_set
                        and b.field = f.field
                        and b.ended_at is null
                )
        $q$,
        'feature.' || feature.name_of(p_set, 'log')
    ) using p_set;
end
$$;
revoke all on function feature.await_fields(text) from public;
comment on function feature.await_fields(text) is
'Notes in feature.waiting_field, of the fields of the set p_set that begin to be published, all '
'bars that its log has. One that ended and begins again waits for what was known since. Step of '
'feature.note_births(), before it notes them.';
