-- loses: nothing
drop function api.feature_pit_snapshot(text[], text, text, integer);
drop function api.feature_pit_snapshot(text[], timestamptz, timestamptz, integer);
drop function api.feature_pit_snapshot(text[], timestamptz[], timestamptz[], integer);
