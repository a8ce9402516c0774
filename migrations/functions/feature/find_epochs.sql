create or replace function feature.find_epochs(p_set text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_joins text;
begin
    select coalesce(string_agg(
        format(
            'left join %1$I as %1$I on m.series_no = %1$I.series_no and m.bucket = %1$I.bucket '
            'and m.known_at >= %1$I.known_at and m.known_at < %1$I.superseded_at',
            'slice_read_' || r.name
        ), ' '
    ), '')
    into v_joins
    from unnest(feature.sets_read(p_set)) as r (name);
    -- Where what windows read of a bar changes after it has closed, or whether it is there, a new
    -- epoch begins. Where that is one field: row(s.is_there, s.x) is distinct from row(
    -- lag(s.is_there, 1, false) over by_time, lag(s.x) over by_time) as is_moved
    execute format(
        $q$
            create temp table bar_state on commit drop as
            with state as (
                select
                    m.*,
                    o.series_no is not null as is_there%1$s%4$s
                from moment as m
                left join own as o on m.moment_no = o.series_no
                %5$s
            )

            select
                s.*,
                s.known_at > s.closed_at
                and row(s.is_there%2$s)
                is distinct from row(lag(s.is_there, 1, false) over by_time%3$s) as is_moved
            from state as s
            window by_time as (partition by s.series_no, s.bucket order by s.known_at)
        $q$,
        feature.published_list(p_set, 'input', ', o.%I'),
        feature.published_list(p_set, 'input', ', s.%I')
        || feature.read_list(p_set, null, ', s.%2$I'),
        feature.published_list(p_set, 'input', ', lag(s.%I) over by_time')
        || feature.read_list(p_set, null, ', lag(s.%2$I) over by_time'),
        feature.read_list(p_set, null, ', %2$I'), v_joins
    );
    create index on bar_state (series_no, bucket, known_at);
    analyze bar_state;

    -- Bars that are there at any knowledge time, numbered.
    create temp table stable on commit drop as
    select
        b.series_no,
        b.bucket,
        row_number() over (partition by b.series_no order by b.bucket) as place
    from bar_state as b
    group by b.series_no, b.bucket
    having min(b.known_at) = min(b.closed_at) and bool_and(b.is_there);
    create index on stable (series_no, bucket) include (place);
    create index on stable (series_no, place) include (bucket);
    analyze stable;

    create temp table disturbance on commit drop as
    select
        b.series_no,
        b.bucket,
        b.known_at,
        greatest(
            coalesce(n.bucket + c_set.minutes * interval '1 minute', 'infinity'),
            coalesce(l.bucket, 'infinity')
        ) as reached_to
    from bar_state as b
    left join lateral (
        select
            s.bucket,
            s.place
        from stable as s
        where s.series_no = b.series_no and s.bucket > b.bucket
        order by s.bucket
        limit 1
    ) as n on true
    left join stable as l on b.series_no = l.series_no and n.place + c_set.bars = l.place
    where b.is_moved;

    create temp table epoch on commit drop as
    select
        row_number() over (order by e.series_no, e.starts)::integer as epoch_no,
        e.series_no,
        e.starts,
        lead(e.starts, 1, 'infinity') over (partition by e.series_no order by e.starts) as ends
    from (
        select distinct
            d.series_no,
            d.known_at as starts
        from disturbance as d
        union all
        select
            s.series_no,
            '-infinity'
        from slice as s
    ) as e;
    create index on epoch (series_no, starts);
    analyze epoch;
end
$$;
revoke all on function feature.find_epochs(text) from public;
comment on function feature.find_epochs(text) is
'Makes the temporary tables bar_state, each moment with whether its bar was there (is_there), what '
'windows of the set p_set read of it, and whether either changed then, after it had closed '
'(is_moved); stable, the bars that are there at any knowledge time, numbered per series (place); '
'disturbance, each bar that moved, with the last bar that windows bring that to (reached_to); and '
'epoch, per series the stretches of knowledge time between disturbances, numbered (epoch_no). Step '
'of feature.backfill_slice().';
