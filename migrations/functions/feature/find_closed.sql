-- depends: functions/feature/bars_of functions/feature/warn_beyond
create or replace function feature.find_closed(p_set text, p_known_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_causes constant text[] := array['late', 'correction', 'cancel'];
begin
    if c_set.span is null then
        execute format(
            'select feature.warn_beyond(array_agg(m.symbol), array_agg(m.bucket)) from %I as m',
            'next_version_' || c_set.made_of
        );
    end if;
    -- the bars of which minutes have just got new versions; what is open waits for its close
    execute format(
        $q$
            insert into feature.waiting_bar as w (
                feature_set, tenant_id, symbol, bucket, closes_at, cause
            )
            select
                $1, n.tenant_id, n.symbol, b.bucket, b.closes_at, $2[max(n.cause_rank)]
            from %1$I as n
            inner join feature.bars_of(
                (select s.grain from market.feature_set as s where s.feature_set = $1),
                (select array_agg(m.symbol) from %1$I as m),
                (select array_agg(m.bucket) from %1$I as m),
                (select array_agg($3) from %1$I as m)
            ) as b on n.symbol = b.symbol and n.bucket = b.minute
            group by n.tenant_id, n.symbol, b.bucket, b.closes_at
            on conflict (feature_set, tenant_id, symbol, bucket) do update
            set cause = excluded.cause
            where array_position($2, excluded.cause) > array_position($2, w.cause)
        $q$,
        'next_version_' || c_set.made_of
    ) using p_set, c_causes, p_known_at;
    -- a correction or a cancel is tried at once
    execute format(
        $q$
            update feature.set_aside as s set try_after = '-infinity'
            from %I as n
            where
                s.feature_set = $1
                and s.tenant_id = n.tenant_id
                and s.symbol = n.symbol
                and s.try_after > '-infinity'
                and n.cause_rank > 1
        $q$,
        'next_version_' || c_set.made_of
    ) using p_set;

    execute format(
        $q$
            create temp table changed on commit drop as
            with taken as (
                select t.* from feature.take_waiting($1, $2) as t
            )

            select
                row_number() over ()::integer as series_no,
                t.tenant_id,
                t.symbol,
                t.bucket,
                t.closes_at,
                array_position($3, t.cause) as cause_rank,
                t.bars_before,
                v.version
            from taken as t
            left join lateral (
                select l as version
                from %s as l
                where l.tenant_id = t.tenant_id and l.symbol = t.symbol and l.bucket = t.bucket
                order by l.known_at desc
                limit 1
            ) as v on true
        $q$,
        c_set.log
    ) using p_set, p_known_at, c_causes;
    analyze changed;
    -- as feature.take_changed_bars() notes those of ticks
    insert into feature.rebuild_change (tenant_id, symbol, bucket)
    select
        c.tenant_id,
        c.symbol,
        min(c.bucket)
    from changed as c
    where exists (select from feature.rebuild_run)
    group by c.tenant_id, c.symbol;

    -- what is known of their minutes, this publish's versions included
    execute format(
        $q$
            create temp table series_minute on commit drop as
            select
                c.series_no,
                c.symbol,
                c.bucket as bar,
                c.closes_at,
                m.bucket%1$s
            from changed as c
            cross join lateral (
                select distinct on (l.bucket) l.*
                from %2$s as l
                where
                    l.tenant_id = c.tenant_id
                    and l.symbol = c.symbol
                    and l.bucket >= c.bucket
                    and l.bucket < c.closes_at
                order by l.bucket desc, l.known_at desc
            ) as m
            where m.%3$I is not null
            order by c.series_no, m.bucket
        $q$,
        feature.published_list(c_set.made_of, 'all', ', m.%I'),
        (feature.published_of(c_set.made_of)).log, (feature.published_of(c_set.made_of)).always
    );
    analyze series_minute;
end
$$;
revoke all on function feature.find_closed(text, timestamptz) from public;
comment on function feature.find_closed(text, timestamptz) is
'Makes the temporary tables changed and series_minute for a set that is made of one-minute bars: '
'its closed bars of which minutes have changed, with their last version in the set''s log, and '
'what is known of their minutes at the stamp p_known_at, by series_no and bucket. Bars that are '
'still open stay in feature.waiting_bar. Step of feature.publish_set().';
