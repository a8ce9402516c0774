-- loses: nothing
drop function api.feature_pit_snapshot_all(timestamptz);
drop function public.feature_pit_snapshot_all(timestamptz);
