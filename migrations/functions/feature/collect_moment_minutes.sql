create or replace function feature.collect_moment_minutes(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute format(
        $q$
            create temp table series_minute on commit drop as
            select
                m.moment_no as series_no,
                v.symbol,
                v.bar,
                v.closes_at,
                v.bucket%s
            from moment as m
            inner join slice_minute as v
                on
                    m.series_no = v.series_no
                    and m.bucket = v.bar
                    and m.known_at >= v.known_at
                    and m.known_at < v.superseded_at
            where v.is_there
            order by m.moment_no, v.bucket
        $q$,
        feature.published_list((feature.published_of(p_set)).made_of, 'all', ', v.%I')
    );
    analyze series_minute;
end
$$;
revoke all on function feature.collect_moment_minutes(text) from public;
comment on function feature.collect_moment_minutes(text) is
'Makes the temporary table series_minute: what was known of the minutes of each moment''s bar '
'then, with the moment''s number as series_no, by it and bucket: what the set p_set''s own values '
'are made of. Step of feature.backfill_slice().';
