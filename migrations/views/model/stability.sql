-- depends: functions/model/drifted
create or replace view model.stability as
select
    d.model,
    d.version,
    d.session_day,
    d.column_name,
    d.questions,
    d.psi
from model.drifted(now() - interval '31 days', now()) as d;
comment on view model.stability is
'One row per model, version, session day of the last 31 days and column: population stability '
'index (PSI), how far what it is asked has drifted from what it learned from. It recomputes the '
'features: select from model.drifted(from, to) for a period.';
comment on column model.stability.model is 'Name of the model.';
comment on column model.stability.version is 'The version.';
comment on column model.stability.session_day is 'As in model.live_metric.';
comment on column model.stability.column_name is
'A column of its card, as <set>.<field>, or score; those of which the card has a reference.';
comment on column model.stability.questions is
'Of how many questions; a few make a large index by chance.';
comment on column model.stability.psi is
'Sum over the bins of the reference, NULL being one, of (share - share then) * ln(share / share '
'then), shares held to 0.0001 at least. By custom below 0.1 nothing has moved, above 0.25 much.';
