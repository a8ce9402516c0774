-- loses: of which bars the history of added fields waits; what is built stays
set local role market_owner;

drop table feature.waiting_field;
-- made again by the file of an older release, with an argument less
drop function if exists feature.wait_behind(text, timestamptz, text);
