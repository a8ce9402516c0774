-- depends: functions/feature/published_of
create or replace function feature.complete_versions(
    p_set text, p_field text, p_known_to timestamptz, p_from timestamptz, p_to timestamptz
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_versions bigint;
begin
    -- feature.refuse_change() lets nothing else pass
    perform set_config('feature.filling', p_set, true);
    execute format(
        $q$
            update %1$s as l set %2$I = f.value
            from (
                select s.tenant_id, s.symbol, v.bucket, v.known_at, t.value
                from slice_field as w
                inner join slice as s on w.tenant_id = s.tenant_id and w.symbol = s.symbol
                -- by the key, series by series
                cross join lateral (
                    select v.bucket, v.known_at
                    from %1$s as v
                    where
                        v.tenant_id = s.tenant_id
                        and v.symbol = s.symbol
                        and v.bucket >= %4$L
                        and v.bucket < %5$L
                        and v.known_at > w.known_after
                        and v.known_at <= w.known_to
                        and v.%2$I is null
                        -- a bar that has gone has no values
                        and v.%6$I is not null
                    offset 0
                ) as v
                cross join lateral (
                    select t.%2$I as value
                    from timeline as t
                    where
                        t.series_no = s.series_no
                        and t.bucket = v.bucket
                        and t.known_at <= v.known_at
                    order by t.known_at desc
                    limit 1
                ) as t
                where
                    w.field = %2$L
                    and w.known_to = %3$L
                    and w.buckets @> v.bucket
                    and t.value is not null
            ) as f
            where
                l.tenant_id = f.tenant_id
                and l.symbol = f.symbol
                and l.bucket = f.bucket
                and l.known_at = f.known_at
                and l.bucket >= %4$L
                and l.bucket < %5$L
        $q$,
        c_set.log, p_field, p_known_to, p_from, p_to, c_set.always
    );
    get diagnostics v_versions = row_count;
    perform set_config('feature.filling', '', true);
    return v_versions;
end
$$;
revoke all on function feature.complete_versions(text, text, timestamptz, timestamptz, timestamptz)
from public;
comment on function feature.complete_versions(
    text, text, timestamptz, timestamptz, timestamptz
) is
'Gives the versions in the log of the set p_set that wait for the field p_field in slice_field, '
'born at p_known_to, of bars with bucket in [p_from, p_to), the value that timeline has for their '
'moment. Returns how many. Step of feature.fill_slice().';
