-- loses: nothing; features are no longer published by themselves
set local role market_owner;
select delete_job(job_id)
from timescaledb_information.jobs
where proc_schema = 'feature' and proc_name = 'publish_job';
drop procedure feature.publish_job(integer, jsonb);
