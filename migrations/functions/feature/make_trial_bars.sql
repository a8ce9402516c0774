-- depends: functions/feature/published_of functions/feature/read_list functions/feature/sets_read
create or replace function feature.make_trial_bars(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    -- minutes between bars: one, with gaps, hours, and more than reach_minutes
    c_steps constant integer[] := array[1, 7, 90, 3 * (c_set.minutes + 1)];
    -- beyond what a publish reads of them
    c_more constant integer := 200;
    c_last constant integer := c_set.bars + c_set.minutes + c_more;
    v_set text;
    v_fields text;
begin
    -- 10 * (step, up or down) + question: 0 has all bars up to the last, 1 those that a publish
    -- reads, 2 later ones
    create temp table trial on commit drop as
    select
        10 * (2 * s.place + u.up) + q.question as series_no,
        10 ^ (6 * u.up - 3) as far,
        timestamptz '2020-01-06 00:00:00+00'
        + (b.no * c_steps[s.place] + b.no % 3 * (c_steps[s.place] / 3)) * interval '1 minute'
            as bucket,
        b.no,
        -- the last hours move most
        0.01 + (b.no / c_last::double precision) ^ 6 as amplitude,
        false as is_beyond
    from generate_series(1, cardinality(c_steps)) as s (place)
    cross join generate_series(0, 1) as u (up)
    cross join generate_series(0, 2) as q (question)
    cross join generate_series(1, c_last + c_more) as b (no)
    where b.no <= c_last or q.question = 2;
    create temp table window_output on commit drop as
    select
        t.series_no,
        t.bucket
    from trial as t
    where t.no = c_last;
    -- what a publish would not read is far above or below the rest: whoever reads it shall see it
    update trial as t set is_beyond = true
    from (
        select
            c.series_no,
            c.no,
            max(c.no) filter (
                where c.bucket <= o.bucket - c_set.minutes * interval '1 minute'
            ) over (partition by c.series_no) as last_before
        from trial as c
        inner join window_output as o on c.series_no = o.series_no
    ) as r
    where
        t.series_no = r.series_no
        and t.no = r.no
        and t.no < r.last_before - c_set.bars;
    delete from trial as t
    where t.is_beyond and t.series_no % 10 = 1;

    foreach v_set in array array[p_set] || feature.sets_read(p_set) loop
        if v_set = p_set then
            v_fields := feature.published_list(p_set, 'input', ' %I');
        else
            v_fields := feature.read_list(p_set, v_set, ' %1$I');
        end if;
        execute format(
            'create temp table %I on commit drop as '
            'select t.series_no, ''A''::text as symbol, t.bucket%s '
            'from trial as t order by t.series_no, t.bucket',
            case when v_set = p_set then 'window_bar' else 'window_bar_' || v_set end,
            (
                -- prices that go up and down, and words
                select string_agg(
                    case c.data_type
                        when 'text' then format(
                            ', (array[''a'', ''b'', ''c''])[1 + (t.no * %s) %% 3] as %s', c.ordinal,
                            f.name
                        )
                        else format(
                            ', ((t.no * (7919 + 31 * %s) %% 997 * t.amplitude + 500)'
                            ' * case when t.is_beyond then t.far else 1 end)::%s as %s',
                            c.ordinal, c.data_type, f.name
                        )
                    end, ''
                )
                from string_to_table(ltrim(v_fields), ' ') as f (name)
                inner join market.contract as c
                    on c.feature_set = v_set and f.name = quote_ident(c.field)
            )
        );
    end loop;
    drop table pg_temp.trial;
end
$$;
revoke all on function feature.make_trial_bars(text) from public;
comment on function feature.make_trial_bars(text) is
'Makes the temporary tables window_bar, window_bar_<set> and window_output of the set p_set of '
'made series, a minute, some minutes, hours and more than its reach from bar to bar: of each one '
'that has all bars up to the one in window_output, one that has what a publish would read, and '
'one that has later ones. Step of feature.try_windows().';
