-- loses: the log of features, whose versions feature.backfill() builds again from the ticks, with
--   the ticks' clock in place of the publishes'; why they came, and what no publish has taken
set local role market_owner;

select delete_job(job_id)
from timescaledb_information.jobs
where proc_schema = 'feature' or hypertable_schema = 'feature';
-- the triggers that fill the queue
drop function if exists feature.record_added() cascade;
drop function if exists feature.record_superseded() cascade;
drop table feature.backfill_run cascade;
drop table feature.restatement cascade;
drop table feature.changed_bar cascade;
drop table feature.series cascade;
drop table feature.clock cascade;
drop table feature.log cascade;
