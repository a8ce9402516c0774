create or replace view model.answer as
select
    p.prediction_id,
    p.tenant_id,
    p.model,
    p.version,
    p.alias,
    p.route,
    p.symbol,
    p.value,
    p.inputs,
    p.latency_ms,
    p.as_of,
    p.predicted_at
from api.prediction as p
inner join model.version as v on p.model = v.model and p.version = v.version
where
    p.inputs is not null
    and p.logged_by is not null
    -- nobody served what a tenant wrote itself
    and not exists (
        select from access.login as l
        where l.login = p.logged_by
    )
union all
select
    p.prediction_id,
    p.tenant_id,
    p.model,
    p.shadow_version as version,
    'shadow' as alias,
    null as route,
    p.symbol,
    p.shadow_value as value,
    p.inputs,
    null as latency_ms,
    p.as_of,
    p.predicted_at
from api.prediction as p
inner join model.version as v on p.model = v.model and p.shadow_version = v.version
where
    p.shadow_value is not null
    and p.inputs is not null
    and p.logged_by is not null
    and not exists (
        select from access.login as l
        where l.login = p.logged_by
    );
comment on view model.answer is
'One row per served prediction and version that was asked for it: the one that answered, and the '
'shadow. What a tenant wrote itself is not there, nor is a version that is not registered.';
comment on column model.answer.prediction_id is 'See api.prediction.';
comment on column model.answer.tenant_id is 'Who asked.';
comment on column model.answer.model is 'Name of the model.';
comment on column model.answer.version is 'Version that said it.';
comment on column model.answer.alias is 'What it was then: champion, canary or shadow.';
comment on column model.answer.route is 'How it was chosen; NULL: it is the shadow.';
comment on column model.answer.symbol is 'Instrument, market.instrument.';
comment on column model.answer.value is 'What it said.';
comment on column model.answer.inputs is 'See api.prediction.';
comment on column model.answer.latency_ms is 'See api.prediction; NULL: it is the shadow.';
comment on column model.answer.as_of is 'Moment of the features.';
comment on column model.answer.predicted_at is 'When it was written.';
