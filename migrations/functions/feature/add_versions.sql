-- depends: functions/feature/published_of
create or replace function feature.add_versions(
    p_set text, p_field text, p_known_to timestamptz, p_from timestamptz, p_to timestamptz
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_columns text;
    v_versions bigint;
begin
    select string_agg(format(', v.%I', a.attname), '' order by a.attnum)
    into v_columns
    from pg_attribute as a
    where
        a.attrelid = c_set.log::regclass
        and a.attnum > 0
        and not a.attisdropped
        and a.attname not in ('known_at', 'cause', 'definition', p_field);
    -- Moments between versions, or behind them, at which the field alone is another: a bar comes and
    -- goes with its log.
    execute format(
        $q$
            with line as (
                select
                    s.tenant_id,
                    s.symbol,
                    v.bucket,
                    v.known_at,
                    v.known_at as version_at,
                    v.%2$I as value,
                    null::integer as cause_rank
                from slice_field as w
                inner join slice as s on w.tenant_id = s.tenant_id and w.symbol = s.symbol
                -- by the key, series by series
                cross join lateral (
                    select v.bucket, v.known_at, v.%2$I
                    from %1$s as v
                    where
                        v.tenant_id = s.tenant_id
                        and v.symbol = s.symbol
                        and v.bucket >= %4$L
                        and v.bucket < %5$L
                        and v.known_at <= w.known_to
                    offset 0
                ) as v
                where w.field = %2$L and w.known_to = %3$L and w.buckets @> v.bucket
                union all
                select s.tenant_id, s.symbol, t.bucket, t.known_at, null, t.%2$I, t.cause_rank
                from slice_field as w
                inner join slice as s on w.tenant_id = s.tenant_id and w.symbol = s.symbol
                inner join timeline as t on s.series_no = t.series_no
                where
                    w.field = %2$L
                    and w.known_to = %3$L
                    and w.buckets @> t.bucket
                    and t.bucket < %5$L
                    and t.known_at > w.known_after
                    and t.known_at <= w.known_to
                    and t.is_there
                    and not exists (
                        select from %1$s as v
                        where
                            v.tenant_id = s.tenant_id
                            and v.symbol = s.symbol
                            and v.bucket = t.bucket
                            and v.known_at = t.known_at
                    )
            ),

            compared as (
                select
                    l.*,
                    max(l.version_at) over by_time as last_version_at,
                    lag(l.value) over by_time as last_value
                from line as l
                window by_time as (
                    partition by l.tenant_id, l.symbol, l.bucket order by l.known_at
                )
            )

            insert into %1$s (known_at, cause, definition, %2$I%7$s)
            select
                c.known_at,
                (array['late', 'correction', 'cancel'])[c.cause_rank],
                (select min(w.definition) from slice_field as w),
                c.value%8$s
            from compared as c
            inner join %1$s as v
                on
                    c.tenant_id = v.tenant_id
                    and c.symbol = v.symbol
                    and c.bucket = v.bucket
                    and c.last_version_at = v.known_at
            where
                c.version_at is null
                and v.%6$I is not null
                and c.value is distinct from c.last_value
                and v.bucket >= %4$L
                and v.bucket < %5$L
            order by c.bucket, c.tenant_id, c.symbol, c.known_at
        $q$,
        c_set.log, p_field, p_known_to, p_from, p_to, c_set.always,
        replace(v_columns, ', v.', ', '), v_columns
    );
    get diagnostics v_versions = row_count;
    return v_versions;
end
$$;
revoke all on function feature.add_versions(text, text, timestamptz, timestamptz, timestamptz)
from public;
comment on function feature.add_versions(text, text, timestamptz, timestamptz, timestamptz) is
'Appends to the log of the set p_set a version for each moment of timeline at which the field '
'p_field, born at p_known_to, changed and no version is, of the bars with bucket in [p_from, p_to) '
'that wait for it in slice_field. All else in it is as in the version before but definition, by '
'which the field was computed. Returns how many. '
'Step of feature.fill_slice(), after feature.complete_versions().';
