create or replace function feature.collect_epoch_bars() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_reach constant record := feature.reach();
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
            and s.bucket <= o.bucket_from - v_reach.minutes * interval '1 minute'
        order by s.bucket desc
        limit 1
    ) as n on true
    left join stable as f on e.series_no = f.series_no and n.place - v_reach.bars = f.place
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
        feature.published_list('input', ', b.%I')
    );
    analyze window_bar;
end
$$;
revoke all on function feature.collect_epoch_bars() from public;
comment on function feature.collect_epoch_bars() is
'Makes the temporary table window_bar: for each epoch (series_no) the own fields that windows '
'read, as its end knew them, of the bars that are wanted and of as many before them as theirs '
'reach; with window_output what feature.window_value() reads. Step of feature.backfill_slice().';
