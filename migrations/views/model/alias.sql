create or replace view model.alias as
select
    p.model,
    p.alias,
    p.version,
    p.promoted_at,
    p.promoted_by,
    p.reason
from (
    select distinct on (h.model, h.alias) h.*
    from model.promotion as h
    order by h.model asc, h.alias asc, h.promotion_id desc
) as p
where p.version is not null;
grant select on model.alias to market_pool, market_reader;
comment on view model.alias is
'One row per model and alias that a version has now: which version serves as what.';
comment on column model.alias.model is 'Name of the model.';
comment on column model.alias.alias is 'champion, canary or shadow.';
comment on column model.alias.version is 'The version, model.version.';
comment on column model.alias.promoted_at is 'Since when.';
comment on column model.alias.promoted_by is 'The login that promoted it.';
comment on column model.alias.reason is 'Why.';
