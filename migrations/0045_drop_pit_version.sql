-- depends: 0036_add_feature_view
-- purpose: the first releases made a function that feature.pit_query() took the place of
-- lock: none
set local role market_owner;

drop function if exists feature.pit_version(
    text[], timestamptz[], timestamptz[], integer, interval
);
