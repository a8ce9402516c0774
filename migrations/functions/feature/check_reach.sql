-- depends: functions/feature/published_of functions/feature/read_list
--   functions/feature/refuse_formula functions/feature/sets_read
create or replace function feature.check_reach(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    -- of bars: by the minute, with gaps, and hours apart
    c_steps constant integer[] := array[1, 7, 90];
    -- beyond what a publish reads of them
    c_more constant integer := 200;
    c_bars constant integer := c_set.bars + c_set.minutes + c_more;
    v_table text;
    v_fields text;
    v_problem text;
begin
    if feature.published_list(p_set, 'window', '%s') = '' then
        return;
    end if;
    perform feature.drop_steps();
    -- a series per step and question: 10 * step + 0 has all bars, + 1 those that a publish reads
    create temp table bar on commit drop as
    select
        10 * s.place + q.question as series_no,
        timestamptz '2020-01-06 00:00:00+00'
        + (b.no * c_steps[s.place] + b.no % 3 * (c_steps[s.place] / 3)) * interval '1 minute' as bucket,
        b.no
    from generate_series(1, cardinality(c_steps)) as s (place)
    cross join generate_series(0, 1) as q (question)
    cross join generate_series(1, c_bars) as b (no);
    create temp table window_output on commit drop as
    select
        b.series_no,
        max(b.bucket) as bucket
    from bar as b
    group by b.series_no;
    delete from bar as b
    using (
        select
            c.series_no,
            c.bucket,
            c.no,
            max(c.no) filter (
                where c.bucket <= o.bucket - c_set.minutes * interval '1 minute'
            ) over (partition by c.series_no) as last_before
        from bar as c
        inner join window_output as o on c.series_no = o.series_no
    ) as r
    where
        b.series_no = r.series_no
        and b.no = r.no
        and b.series_no % 10 = 1
        and b.no <= r.last_before - (c_set.bars + 1);
    foreach v_table in array array[p_set] || feature.sets_read(p_set) loop
        if v_table = p_set then
            v_fields := feature.published_list(p_set, 'input', ' %I');
        else
            v_fields := feature.read_list(p_set, v_table, ' %1$I');
        end if;
        execute format(
            'create temp table %I on commit drop as select b.series_no, ''A''::text as symbol, b.bucket'
            '%s from bar as b order by b.series_no, b.bucket',
            case when v_table = p_set then 'window_bar' else 'window_bar_' || v_table end,
            (
                -- prices that go up and down, and words
                select string_agg(
                    format(
                        ', %s as %s',
                        case c.data_type
                            when 'text' then
                                format('(array[''a'', ''b'', ''c''])[1 + (b.no * %s) %% 3]', c.ordinal)
                            else format(
                                '((b.no * (7919 + 31 * %s)) %% 997 + 500)::%s', c.ordinal, c.data_type
                            )
                        end, f.name
                    ), ''
                )
                from string_to_table(ltrim(v_fields), ' ') as f (name)
                inner join market.contract as c
                    on c.feature_set = v_table and f.name = quote_ident(c.field)
            )
        );
    end loop;
    perform set_config('feature.moment', now()::text, true);
    execute format(
        $q$
            select min(f.field)
            from feature.%1$I() as a
            inner join feature.%1$I() as b on a.series_no + 1 = b.series_no
            cross join lateral (
                select f.field
                from feature.published_field() as f
                where
                    f.feature_set = %2$L
                    and not f.is_own
                    and to_jsonb(a) -> f.field is distinct from to_jsonb(b) -> f.field
            ) as f
            where a.series_no %% 10 = 0
        $q$,
        feature.name_of(p_set, 'window_value'), p_set
    ) into v_problem;
    drop table pg_temp.bar;
    perform feature.drop_steps();
    if v_problem is not null then
        perform feature.refuse_formula(format(
            '%s of %s reads bars beyond the %s bars and %s minutes that seeds/feature_set.csv gives '
            'it: raise reach_bars or reach_minutes there, or make its frame shorter',
            v_problem, p_set, c_set.bars, c_set.minutes
        ));
    end if;
end
$$;
revoke all on function feature.check_reach(text) from public;
comment on function feature.check_reach(text) is
'Refuses a set whose windows read farther back than its reach: they are evaluated over made bars, a '
'minute, some minutes and hours apart, once with all and once with those alone that a publish '
'would read. For feature.compile(). Errors: 0A000 with the field.';
