-- depends: functions/model/measured
create or replace view model.live_metric as
select
    m.model,
    m.version,
    m.alias,
    m.session_day,
    m.predictions,
    m.questions,
    m.labelled,
    m.log_loss,
    m.brier,
    m.auc,
    m.hit_rate,
    m.calibration_error,
    m.mean_score,
    m.mean_label
from model.measured('-infinity', 'infinity') as m;
comment on view model.live_metric is
'One row per model, version, alias and session day: how well its answers fit the labels that are '
'known by now. Each question counts once, however often it was asked. All that was ever asked: '
'select from model.measured(from, to) for a period.';
comment on column model.live_metric.model is 'Name of the model.';
comment on column model.live_metric.version is 'The version.';
comment on column model.live_metric.alias is 'What it was then: champion, canary or shadow.';
comment on column model.live_metric.session_day is
'Local day on which the last session of the instrument''s calendar had opened; NULL: none.';
comment on column model.live_metric.predictions is 'How often it was asked.';
comment on column model.live_metric.questions is 'How many questions these were.';
comment on column model.live_metric.labelled is
'Of these, how many have a label by now, and a score that is a number below 1e100: the columns '
'that follow are of these.';
comment on column model.live_metric.log_loss is
'Mean of -ln(score) where the label is 1 and -ln(1 - score) where it is 0, scores held to [1e-12, '
'1 - 1e-12]; NULL: no labels, others than 0 and 1, or scores outside [0, 1].';
comment on column model.live_metric.brier is 'Mean of (score - label)^2; NULL: no labels.';
comment on column model.live_metric.auc is
'Chance that of two questions the one with label 1 has the higher score, a tie counts half; NULL: '
'not both labels are there, or others.';
comment on column model.live_metric.hit_rate is
'Share of scores on the label''s side of 0.5, which itself counts as 0; NULL: as log_loss.';
comment on column model.live_metric.calibration_error is
'Expected calibration error: mean over tenths of the score, weighed by their questions, of the '
'distance between mean score and mean label; NULL: as log_loss.';
comment on column model.live_metric.mean_score is 'Mean of the scores that have a label.';
comment on column model.live_metric.mean_label is 'Mean of the labels.';
