-- loses: nothing
drop function feature.volatility_1h(text, timestamptz, integer);
drop function public.feature_pit_snapshot(text[], text, text, integer);
drop function public.feature_pit_snapshot(text[], timestamptz, timestamptz, integer);
drop function public.feature_pit_snapshot(text[], timestamptz[], timestamptz[], integer);
drop function feature.pit_version(text[], timestamptz[], timestamptz[], integer, interval);
