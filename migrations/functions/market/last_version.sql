create or replace function market.last_version() returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select greatest(
        (select max(v.known_at) from market.calendar_version as v),
        (select max(v.known_at) from market.calendar_session_version as v),
        (select max(v.known_at) from market.calendar_holiday_version as v),
        (select max(v.known_at) from market.instrument_version as v),
        (select max(v.known_at) from market.contract_version as v),
        (select max(v.known_at) from market.feature_set_version as v),
        (select max(v.known_at) from market.session_month as v)
    )
$$;
revoke all on function market.last_version() from public;
comment on function market.last_version() is
'Knowledge time of the last change of reference data; -infinity where it is as it was first '
'loaded, NULL where nothing has been loaded.';
