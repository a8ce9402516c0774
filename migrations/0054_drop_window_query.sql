-- depends: 0045_drop_pit_version
-- purpose: what compiles windows has other arguments
-- lock: none; what compiles then makes an index of each log that windows read, and publishes wait
-- about a second for a million versions
set local role market_owner;

-- made again by their files
drop function if exists feature.window_query(text, regclass, regclass);
drop function if exists feature.define_formula(text, text, text);
