-- depends: functions/model/alerts
create or replace view model.alert as
select
    a.model,
    a.version,
    a.kind,
    a.session_day,
    a.value,
    a.threshold,
    a.message
from model.alerts(now() - interval '2 days', now()) as a;
comment on view model.alert is
'One row for all that exceeds the thresholds of the card of a version that serves now, of the last '
'two days, where there are min_requests of them (default 100); and for each label that does not '
'come. No row: all is well.';
comment on column model.alert.model is 'Name of the model.';
comment on column model.alert.version is 'The version.';
comment on column model.alert.kind is
'drift (psi), performance (auc_drop), latency (max_latency_ms), errors (max_error_rate), '
'disagreement (max_disagreement), labels.';
comment on column model.alert.session_day is 'As in model.live_metric; NULL: of all.';
comment on column model.alert.value is 'What it is.';
comment on column model.alert.threshold is 'What it may be.';
comment on column model.alert.message is 'A sentence for people.';
