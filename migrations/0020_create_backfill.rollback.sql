-- loses: the progress of backfills
drop procedure feature.backfill(timestamptz, timestamptz);
drop function feature.backfill_slice(integer[], text[], timestamptz, timestamptz);
drop function feature.bars_before(integer, text, timestamptz, integer);
drop table feature.backfill_run;
