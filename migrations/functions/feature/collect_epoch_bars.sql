create or replace function feature.collect_epoch_bars(p_set text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_from_set text;
begin
    create temp table span on commit drop as
    select
        o.epoch_no,
        e.series_no,
        e.ends,
        max(o.bucket) as span_to,
        coalesce(f.bucket, '-infinity') as span_from
    from (
        select
            p.epoch_no,
            min(p.bucket) as bucket_from,
            max(p.bucket) as bucket
        from epoch_output as p
        group by p.epoch_no
    ) as o
    inner join epoch as e on o.epoch_no = e.epoch_no
    left join lateral (
        select s.place
        from stable as s
        where
            s.series_no = e.series_no
            and s.bucket <= o.bucket_from - c_set.minutes * interval '1 minute'
        order by s.bucket desc
        limit 1
    ) as n on true
    left join stable as f on e.series_no = f.series_no and n.place - c_set.bars = f.place
    group by o.epoch_no, e.series_no, e.ends, f.bucket;
    analyze span;

    -- where windows read one field: select ..., b.x from ...
    execute format(
        $q$
            create temp table window_bar on commit drop as
            select
                s.epoch_no as series_no,
                l.symbol,
                b.bucket%s
            from span as s
            inner join slice as l on s.series_no = l.series_no
            inner join bar_state as b
                on
                    s.series_no = b.series_no
                    and b.bucket between s.span_from and s.span_to
                    and b.known_at < s.ends
                    and b.next_known_at >= s.ends
            where b.is_there
        $q$,
        feature.published_list(p_set, 'input', ', b.%I')
        || feature.read_list(p_set, null, ', b.%2$I')
    );
    analyze window_bar;
    foreach v_from_set in array feature.sets_read(p_set) loop
        execute format(
            'create temp table %1$I on commit drop as select b.series_no, b.symbol, b.bucket%2$s '
            'from window_bar as b', 'window_bar_' || v_from_set,
            feature.read_list(p_set, v_from_set, ', b.%2$I as %1$I')
        );
        execute format('analyze %I', 'window_bar_' || v_from_set);
    end loop;
end
$$;
revoke all on function feature.collect_epoch_bars(text) from public;
comment on function feature.collect_epoch_bars(text) is
'Makes the temporary table window_bar: for each epoch (series_no) the own fields that windows of '
'the set p_set read, and those of other sets, in window_bar_<set> too, as its end knew them, of '
'the bars that are wanted and of as many before them as theirs reach; with window_output what '
'feature.window_value() reads. Step of feature.backfill_slice().';
