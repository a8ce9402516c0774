-- loses: versions of models, which of them served, and labels; of predictions which version made
--   them and of what, and all but one of those that a model made of a question at the same instant
set local role market_owner;

select delete_job(job_id)
from timescaledb_information.jobs
where proc_schema = 'model';
drop function if exists api.replay(uuid);
drop schema model cascade;

-- the key of before has room for one of each
delete from api.prediction as p
using api.prediction as o
where
    p.tenant_id = o.tenant_id
    and p.model = o.model
    and p.symbol = o.symbol
    and p.as_of = o.as_of
    and p.predicted_at = o.predicted_at
    and p.prediction_id > o.prediction_id;
drop index api.prediction_by_question;
drop index api.prediction_by_moment;
alter table api.prediction
drop constraint prediction_pkey,
drop column prediction_id,
drop column version,
drop column alias,
drop column route,
drop column inputs,
drop column latency_ms,
drop column shadow_version,
drop column shadow_value,
drop column logged_by,
add primary key (tenant_id, model, symbol, as_of, predicted_at);
comment on table api.prediction is 'One row per prediction that a tenant''s model made.';
comment on column api.prediction.model is 'Name and version of the model.';
comment on column api.prediction.as_of is 'Moment whose features it was made from.';
comment on column api.prediction.feature_hash is
'feature_pit_hash() of its features: what ties it to what was known; NULL: not kept.';

alter table audit.event
drop constraint event_kind_check,
-- what was recorded stays
add constraint event_kind_check
check (kind in ('entitlement', 'role', 'contract', 'reference', 'ddl', 'backfill')) not valid;
comment on column audit.event.kind is
'entitlement, role, contract, reference, ddl or backfill.';
