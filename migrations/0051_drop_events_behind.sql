-- depends: 0050_create_waiting_field
-- purpose: feature.events_behind() is made again by its file, with two arguments more
-- lock: none
set local role market_owner;

drop function if exists feature.events_behind(integer, text, timestamptz, timestamptz);
