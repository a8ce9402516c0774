-- depends: functions/feature/bars_of functions/feature/published_of functions/feature/read_list
create or replace function feature.collect_slice_versions(
    p_set text, p_to timestamptz, p_born_at timestamptz
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    -- no session is longer
    c_longest constant interval := coalesce(c_set.span, interval '1 day');
    v_from record;
begin
    if c_set.made_of <> 'tick' then
        v_from := feature.published_of(c_set.made_of);
        execute format(
            $q$
                create temp table slice_minute on commit drop as
                with version as (
                    select
                        s.series_no,
                        l.*,
                        lead(l.known_at, 1, 'infinity') over (
                            partition by s.series_no, l.bucket order by l.known_at
                        ) as superseded_at
                    from slice as s
                    inner join %1$s as l on s.tenant_id = l.tenant_id and s.symbol = l.symbol
                    where l.bucket >= s.context_from and l.bucket < $1 and l.known_at <= $2
                )

                select
                    v.series_no,
                    v.symbol,
                    b.bucket as bar,
                    b.closes_at,
                    v.bucket,
                    v.known_at,
                    v.superseded_at,
                    v.cause,
                    v.%2$I is not null as is_there%3$s
                from version as v
                inner join feature.bars_of(
                    (select f.grain from market.feature_set as f where f.feature_set = $3),
                    (select array_agg(w.symbol) from version as w),
                    (select array_agg(w.bucket) from version as w),
                    (select array_agg(w.known_at) from version as w)
                ) as b on v.symbol = b.symbol and v.bucket = b.minute and v.known_at = b.known_at
                where b.bucket < $4
            $q$,
            v_from.log, v_from.always,
            feature.published_list(c_set.made_of, 'all', ', v.%I')
        ) using p_to + c_longest, p_born_at, p_set, p_to;
        create index on slice_minute (series_no, bar);
        analyze slice_minute;
    end if;
    for v_from in
        select o.*
        from unnest(feature.sets_read(p_set)) as s (name)
        cross join lateral feature.published_of(s.name) as o
    loop
        execute format(
            $q$
                create temp table %1$I on commit drop as
                select
                    s.series_no,
                    l.bucket,
                    l.known_at,
                    lead(l.known_at, 1, 'infinity') over (
                        partition by s.series_no, l.bucket order by l.known_at
                    ) as superseded_at,
                    l.cause,
                    l.%2$I is not null as is_there%3$s
                from slice as s
                inner join %4$s as l on s.tenant_id = l.tenant_id and s.symbol = l.symbol
                where l.bucket >= s.context_from and l.bucket < $1 and l.known_at <= $2
            $q$,
            'slice_read_' || v_from.feature_set, v_from.always,
            feature.read_list(p_set, v_from.feature_set, ', l.%1$I as %2$I'), v_from.log
        ) using p_to, p_born_at;
        execute format('create index on %I (series_no, bucket)', 'slice_read_' || v_from.feature_set);
        execute format('analyze %I', 'slice_read_' || v_from.feature_set);
    end loop;
    perform feature.find_closings(p_set);
end
$$;
revoke all on function feature.collect_slice_versions(text, timestamptz, timestamptz) from public;
comment on function feature.collect_slice_versions(text, timestamptz, timestamptz) is
'Makes the temporary tables slice_minute, where the set p_set is made of one-minute bars, and '
'slice_read_<set>, for each set that its windows read: the versions of these, known by p_born_at, '
'of the series in slice, from its context_from to before p_to, each with when the next one came '
'(superseded_at) and whether it has a bar (is_there); slice_minute with the bar that the minute is '
'in (bar, closes_at). Step of feature.backfill_slice().';
