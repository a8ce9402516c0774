create or replace function feature.find_epochs() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_reach constant record := feature.reach();
begin
    -- Where what windows read of a bar changes after it has closed, or whether it is there, a new
    -- epoch begins. Where that is one field: row(s.is_there, s.x) is distinct from row(
    -- lag(s.is_there, 1, false) over by_time, lag(s.x) over by_time) as is_moved
    execute format(
        $q$
            create temp table bar_state on commit drop as
            with state as (
                select
                    m.*,
                    o.series_no is not null as is_there%1$s
                from moment as m
                left join own as o on m.moment_no = o.series_no
            )

            select
                s.*,
                s.known_at > s.bucket + interval '1 minute'
                and row(s.is_there%2$s)
                is distinct from row(lag(s.is_there, 1, false) over by_time%3$s) as is_moved
            from state as s
            window by_time as (partition by s.series_no, s.bucket order by s.known_at)
        $q$,
        feature.published_list('input', ', o.%I'), feature.published_list('input', ', s.%I'),
        feature.published_list('input', ', lag(s.%I) over by_time')
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
    having min(b.known_at) = b.bucket + interval '1 minute' and bool_and(b.is_there);
    create index on stable (series_no, bucket) include (place);
    create index on stable (series_no, place) include (bucket);
    analyze stable;

    create temp table disturbance on commit drop as
    select
        b.series_no,
        b.bucket,
        b.known_at,
        greatest(
            coalesce(n.bucket + v_reach.minutes * interval '1 minute', 'infinity'),
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
    left join stable as l on b.series_no = l.series_no and n.place + v_reach.bars = l.place
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
revoke all on function feature.find_epochs() from public;
comment on function feature.find_epochs() is
'Makes the temporary tables bar_state, each moment with whether its bar was there (is_there), what '
'windows read of it, and whether either changed then, after it had closed (is_moved); stable, the '
'bars that are there at any knowledge time, numbered per series (place); disturbance, each bar '
'that moved, with the last bar that windows bring that to (reached_to); and epoch, per series the '
'stretches of knowledge time between disturbances, numbered (epoch_no). Step of '
'feature.backfill_slice().';
