create or replace function feature.find_epochs() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_reach constant record := feature.reach();
begin
    -- Closes are what windows read: where one changes after its bar has closed, a new epoch begins.
    create temp table bar_state on commit drop as
    select
        m.*,
        o.close,
        lag(o.close) over (partition by m.series_no, m.bucket order by m.known_at) as last_close
    from moment as m
    left join own as o on m.moment_no = o.series_no;
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
    having min(b.known_at) = b.bucket + interval '1 minute' and bool_and(b.close is not null);
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
    where b.known_at > b.bucket + interval '1 minute' and b.close is distinct from b.last_close;

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
'Makes the temporary tables bar_state, each moment with the close that its bar then had (close) '
'and had before (last_close); stable, the bars that are there at any knowledge time, numbered per '
'series (place); disturbance, each close that changed after its bar had closed, with the last bar '
'that windows bring that to (reached_to); and epoch, per series the stretches of knowledge time '
'between disturbances, numbered (epoch_no). Step of feature.backfill_slice().';
