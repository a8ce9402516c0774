-- loses: nothing; changed intervals stay in market.policy_setting
set local role market_owner;

-- a job that runs while its aggregate is dropped would fail one of the two
select delete_job(job_id)
from timescaledb_information.jobs
where hypertable_schema = 'market';

drop procedure market.apply_policies();
