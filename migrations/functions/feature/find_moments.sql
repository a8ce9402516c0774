-- depends: functions/feature/published_of functions/feature/sets_read
create or replace function feature.find_moments(
    p_set text, p_born_at timestamptz
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_causes constant text := 'array[''late'', ''correction'', ''cancel'']';
    v_changes text;
    v_closed text := 'x.bucket + interval ''1 minute''';
    v_closing text := '';
begin
    if c_set.made_of = 'tick' then
        select string_agg(
            format(
                'select s.series_no, s.bucket, s.known_at, 1 as cause_rank from slice_%1$s as s '
                'union all '
                'select s.series_no, s.bucket, s.superseded_at, array_position(%2$s, s.cause) '
                'from slice_%1$s as s where s.superseded_at <= $1',
                k.kind, c_causes
            ), ' union all '
        )
        into v_changes
        from unnest(market.tick_kinds()) as k (kind);
    else
        v_changes := format(
            'select s.series_no, s.bar as bucket, s.known_at, '
            'coalesce(array_position(%s, s.cause), 1) as cause_rank from slice_minute as s', c_causes
        );
    end if;
    select concat_ws(
        ' union all ', v_changes,
        string_agg(
            format(
                'select s.series_no, s.bucket, s.known_at, coalesce(array_position(%s, s.cause), 1) '
                'from %I as s', c_causes, 'slice_read_' || r.name
            ), ' union all '
        )
    )
    into v_changes
    from unnest(feature.sets_read(p_set)) as r (name);
    -- what is made of logs could be there with the first publish after the close, no earlier
    if to_regclass('pg_temp.closing') is not null then
        v_closed := 'e.closed_at';
        v_closing := 'inner join closing as e on x.series_no = e.series_no and x.bucket = e.bucket';
    end if;
    -- The moments at which what is known of a closed bar changes, and why.
    execute format(
        $q$
            create temp table moment on commit drop as
            with change as (
                select
                    x.series_no,
                    x.bucket,
                    %1$s as closed_at,
                    greatest(x.known_at, %1$s) as known_at,
                    x.cause_rank
                from (%2$s) as x
                %3$s
            )

            select
                row_number() over (order by c.series_no, c.bucket, c.known_at)::integer as moment_no,
                c.series_no,
                c.bucket,
                c.closed_at,
                c.known_at,
                max(c.cause_rank) as cause_rank,
                lead(c.known_at, 1, 'infinity') over (
                    partition by c.series_no, c.bucket order by c.known_at
                ) as next_known_at
            from change as c
            where c.known_at <= $1
            group by c.series_no, c.bucket, c.closed_at, c.known_at
        $q$,
        v_closed, v_changes, v_closing
    ) using p_born_at;
    analyze moment;
end
$$;
revoke all on function feature.find_moments(text, timestamptz) from public;
comment on function feature.find_moments(text, timestamptz) is
'Makes the temporary table moment: one row per moment, up to p_born_at, at which what is known of '
'a closed bar of the set p_set changes, in the slice, numbered by series, bar and time '
'(moment_no), with closed_at, the first moment at which the bar can be known, its cause_rank (1 '
'late, 2 correction, 3 cancel) and next_known_at, the bar''s next moment. Step of '
'feature.backfill_slice().';
