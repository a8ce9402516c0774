create or replace function feature.find_epoch_outputs(p_from timestamptz) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- What each epoch is asked: the bars that close in it, and those that its first moment reaches.
    create temp table epoch_output on commit drop as
    with closed_bar as (
        select distinct
            b.series_no,
            b.bucket,
            b.closed_at
        from bar_state as b
        where b.bucket >= p_from
    )

    select
        e.epoch_no,
        c.series_no,
        c.bucket,
        c.closed_at as known_at
    from closed_bar as c
    cross join lateral (
        select o.epoch_no
        from epoch as o
        where o.series_no = c.series_no and o.starts <= c.closed_at
        order by o.starts desc
        limit 1
    ) as e
    union
    select
        e.epoch_no,
        c.series_no,
        c.bucket,
        d.known_at
    from disturbance as d
    inner join epoch as e on d.series_no = e.series_no and d.known_at = e.starts
    inner join closed_bar as c
        on
            d.series_no = c.series_no
            and d.bucket <= c.bucket
            and d.reached_to >= c.bucket
            and c.closed_at <= d.known_at;
    analyze epoch_output;


    create temp table window_output on commit drop as
    select distinct
        o.epoch_no as series_no,
        o.bucket
    from epoch_output as o;
    analyze window_output;
end
$$;
revoke all on function feature.find_epoch_outputs(timestamptz) from public;
comment on function feature.find_epoch_outputs(timestamptz) is
'Makes the temporary tables epoch_output: which bars, from p_from on, windows are wanted of in '
'which epoch, and at which moment (known_at) that is what was known; and window_output, the same '
'without moments, with the epoch''s number as series_no. Step of feature.backfill_slice().';
