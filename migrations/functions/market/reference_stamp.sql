-- depends: functions/feature/hold_clock functions/market/last_version
create or replace function market.reference_stamp() returns timestamptz
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    -- what is read before a wait for the lock may be too old after it
    perform feature.hold_clock();
    return (
        select greatest(
            clock_timestamp(),
            c.published_at + interval '1 microsecond',
            market.last_version() + interval '1 microsecond'
        )
        from feature.clock as c
    );
end
$$;
revoke all on function market.reference_stamp() from public;
comment on function market.reference_stamp() is
'From when a change of reference data that is made now is known: after the last publish, so that '
'who was answered before is answered so again, and after the change before. Takes the lock of the '
'clock (feature.hold_clock()), until the transaction ends.';
