-- loses: nothing; features are no longer published by themselves
set local role market_owner;
select delete_job(job_id)
from timescaledb_information.jobs
where proc_schema = 'feature' or hypertable_schema = 'feature';
drop procedure feature.publish_job(integer, jsonb);
