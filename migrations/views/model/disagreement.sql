-- depends: functions/model/between_cards functions/model/late_sets views/model/answer
create or replace view model.disagreement as
select
    a.prediction_id,
    a.tenant_id,
    a.model,
    a.version,
    s.version as shadow_version,
    a.symbol,
    a.value,
    s.value as shadow_value,
    case
        when a.value between -1e100 and 1e100 and s.value between -1e100 and 1e100
            then abs(s.value - a.value)
    end as difference,
    (a.value > 0.5) <> (s.value > 0.5) as is_other_side,
    case
        when late is not null then 'freshness'
        when coalesce(d.read_by_one, d.defined_otherwise) is not null then 'features'
        else 'model'
    end as cause,
    case
        when late is not null then format('%s was older than the contract promises', late)
        when d.read_by_one is not null then format('only one of them reads %s', d.read_by_one)
        when d.defined_otherwise is not null
            then format('they learned from other definitions of %s', d.defined_otherwise)
        else 'both were given the same'
    end as detail,
    a.as_of,
    a.predicted_at
from model.answer as a
inner join model.answer as s on a.tenant_id = s.tenant_id and a.prediction_id = s.prediction_id
inner join model.version as v on a.model = v.model and a.version = v.version
inner join model.version as w on s.model = w.model and s.version = w.version
cross join lateral model.between_cards(v.card, w.card) as d
cross join lateral model.late_sets(v.card, w.card, a.inputs, a.predicted_at) as late
where a.alias <> 'shadow' and s.alias = 'shadow' and a.value is distinct from s.value;
comment on view model.disagreement is
'One row per served prediction of which the shadow said something else, and to what that is put '
'down: the first of freshness, features and model that applies.';
comment on column model.disagreement.prediction_id is 'See api.prediction.';
comment on column model.disagreement.tenant_id is 'Who asked.';
comment on column model.disagreement.model is 'Name of the model.';
comment on column model.disagreement.version is 'Version that answered.';
comment on column model.disagreement.shadow_version is 'Version that was the shadow.';
comment on column model.disagreement.symbol is 'Instrument, market.instrument.';
comment on column model.disagreement.value is 'What was answered.';
comment on column model.disagreement.shadow_value is 'What the shadow said.';
comment on column model.disagreement.difference is
'How far apart they are; NULL: one is no number below 1e100.';
comment on column model.disagreement.is_other_side is 'Whether they are on two sides of 0.5.';
comment on column model.disagreement.cause is
'freshness: features were older than the contract promises; features: the versions read other '
'columns, or learned from other definitions of them; model: neither.';
comment on column model.disagreement.detail is 'Which sets or columns, for people.';
comment on column model.disagreement.as_of is 'Moment of the features.';
comment on column model.disagreement.predicted_at is 'When it was written.';
