create or replace function feature.find_moments(p_live_from timestamptz) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
begin
    -- The moments at which what is known of a closed bar changes, and why.
    create temp table moment on commit drop as
    with belief as not materialized (
        select series_no, bucket, known_at, superseded_at, cause from slice_trade
        union all
        select series_no, bucket, known_at, superseded_at, cause from slice_quote
        union all
        select series_no, bucket, known_at, superseded_at, cause from slice_bar
    ),

    change as (
        select
            b.series_no,
            b.bucket,
            greatest(b.known_at, b.bucket + interval '1 minute') as known_at,
            1 as cause_rank
        from belief as b
        union all
        select
            b.series_no,
            b.bucket,
            greatest(b.superseded_at, b.bucket + interval '1 minute'),
            array_position(c_causes, b.cause)
        from belief as b
        where b.superseded_at <= p_live_from
    )

    select
        row_number() over (order by c.series_no, c.bucket, c.known_at)::integer as moment_no,
        c.series_no,
        c.bucket,
        c.known_at,
        max(c.cause_rank) as cause_rank,
        lead(c.known_at, 1, 'infinity') over (
            partition by c.series_no, c.bucket order by c.known_at
        ) as next_known_at
    from change as c
    where c.known_at <= p_live_from
    group by c.series_no, c.bucket, c.known_at;
    analyze moment;
end
$$;
revoke all on function feature.find_moments(timestamptz) from public;
comment on function feature.find_moments(timestamptz) is
'Makes the temporary table moment: one row per moment, up to p_live_from, at which what is known '
'of a closed bar of the slice changes, numbered by series, bar and time (moment_no), with its '
'cause_rank (1 late, 2 correction, 3 cancel) and next_known_at, the bar''s next moment. Step of '
'feature.backfill_slice().';
