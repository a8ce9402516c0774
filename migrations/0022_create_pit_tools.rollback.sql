-- loses: nothing
drop function feature.explain_restatement(text, timestamptz, integer);
drop function feature.leakage(text[], timestamptz[], integer);
drop function public.feature_pit_hash(text[], text, text, integer);
drop function public.feature_pit_hash(text[], timestamptz, timestamptz, integer);
drop function public.feature_pit_hash(text[], timestamptz[], timestamptz[], integer);
