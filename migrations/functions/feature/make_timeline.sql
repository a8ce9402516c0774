create or replace function feature.make_timeline(p_set text, p_from timestamptz) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    -- One line per bar and moment: its own values and the windows as they were then; of two fields
    -- select ..., o.x, case when o.series_no is not null then w.y end as y ...
    execute format(
        $q$
            create temp table timeline on commit drop as
            with line as (
                select
                    b.series_no,
                    b.bucket,
                    b.known_at,
                    b.moment_no,
                    null::integer as epoch_no,
                    b.cause_rank
                from bar_state as b
                where b.bucket >= $1
                union all
                select
                    o.series_no,
                    o.bucket,
                    o.known_at,
                    null,
                    o.epoch_no,
                    (
                        select max(c.cause_rank)
                        from bar_state as c
                        where
                            c.series_no = o.series_no
                            and c.known_at = o.known_at
                            and c.bucket <= o.bucket
                            and c.known_at > c.closed_at
                    )
                from epoch_output as o
            ),

            filled as (
                select
                    l.series_no,
                    l.bucket,
                    l.known_at,
                    -- both numbers grow with known_at
                    max(max(l.moment_no)) over by_time as moment_no,
                    max(max(l.epoch_no)) over by_time as epoch_no,
                    coalesce(max(l.cause_rank), 1) as cause_rank
                from line as l
                group by l.series_no, l.bucket, l.known_at
                window by_time as (partition by l.series_no, l.bucket order by l.known_at)
            )

            select
                f.series_no,
                f.bucket,
                f.known_at,
                f.cause_rank,
                o.series_no is not null as is_there%s%s
            from filled as f
            left join own as o on f.moment_no = o.series_no
            left join window_value as w on f.epoch_no = w.series_no and f.bucket = w.bucket
        $q$,
        feature.published_list(p_set, 'own', ', o.%I'),
        feature.published_list(
            p_set, 'window', ', case when o.series_no is not null then w.%1$I end as %1$I'
        )
    ) using p_from;
    analyze timeline;
end
$$;
revoke all on function feature.make_timeline(text, timestamptz) from public;
comment on function feature.make_timeline(text, timestamptz) is
'Makes the temporary table timeline: one row per bar, from p_from on, and moment at which its own '
'values or its windows may have changed, with the fields of feature.published_field() as they were '
'known then, whether the bar was there (is_there), and cause_rank. Step of '
'feature.backfill_slice().';
