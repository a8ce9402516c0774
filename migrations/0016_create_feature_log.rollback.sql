-- loses: the log of features; feature.backfill() builds it again from the ticks, with the ticks'
--   clock in place of the publishes'
drop table feature.series;
drop table feature.clock;
drop table feature.log cascade;
drop function feature.refuse_change();
