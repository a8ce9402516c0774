create or replace function feature.first_field_wait(
    p_set text, p_from timestamptz, p_to timestamptz
) returns timestamptz
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select min(lower(w.buckets * tstzmultirange(tstzrange(p_from, p_to))))
    from feature.waiting_field as w
    inner join feature.published_field() as f
        on w.feature_set = f.feature_set and w.field = f.field
    where w.feature_set = p_set and w.buckets && tstzrange(p_from, p_to)
$$;
revoke all on function feature.first_field_wait(text, timestamptz, timestamptz) from public;
grant execute on function feature.first_field_wait(text, timestamptz, timestamptz)
to market_operator;
comment on function feature.first_field_wait(text, timestamptz, timestamptz) is
'The first bar with bucket in [p_from, p_to) that waits for a field of the set p_set; NULL: none '
'does. For feature.backfill().';
