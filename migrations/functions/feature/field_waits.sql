create or replace function feature.field_waits() returns table (
    feature_set text, field text, series bigint, first_day date, last_day date
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        w.feature_set,
        w.field,
        count(distinct (w.tenant_id, w.symbol)),
        (min(lower(w.buckets)) at time zone 'UTC')::date,
        (max(upper(w.buckets)) at time zone 'UTC')::date
    from feature.waiting_field as w
    -- of one that is published no more it waits until that comes again
    inner join feature.birth as b on w.feature_set = b.feature_set and w.field = b.field
    where b.ended_at is null
    group by w.feature_set, w.field
    order by w.feature_set, w.field
$$;
revoke all on function feature.field_waits() from public;
grant execute on function feature.field_waits() to market_ingest, market_operator, market_reader;
comment on function feature.field_waits() is
'Which fields were added to a set that had versions and wait for feature.backfill(): until then '
'what was known by their birth (feature.birth) has no value of them. One row per feature_set and '
'field: series, how many; first_day, last_day, UTC, of their bars.';
