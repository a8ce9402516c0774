-- loses: intervals that were changed in market.policy_setting
-- a job that runs while its aggregate is dropped would fail one of the two
set local role market_owner;

select delete_job(job_id)
from timescaledb_information.jobs
where hypertable_schema = 'market';
drop table market.policy_setting cascade;
