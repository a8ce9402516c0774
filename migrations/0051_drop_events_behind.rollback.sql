-- loses: nothing; make migrate of an older release makes its function again
set local role market_owner;

drop function if exists feature.events_behind(
    integer, text, timestamptz, timestamptz, timestamptz, timestamptz
);
