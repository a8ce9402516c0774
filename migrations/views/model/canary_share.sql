create or replace view model.canary_share as
select
    m.model,
    coalesce(r.canary_share, 0) as canary_share,
    r.changed_at,
    r.changed_by
from (select distinct v.model from model.version as v) as m
left join lateral (
    select h.*
    from model.rollout as h
    where h.model = m.model
    order by h.rollout_id desc
    limit 1
) as r on true;
grant select on model.canary_share to market_pool, market_reader;
comment on view model.canary_share is
'One row per model: which share of pairs of tenant and symbol its canary answers now.';
comment on column model.canary_share.model is 'Name of the model.';
comment on column model.canary_share.canary_share is 'From 0 to 1; 0 until it was set.';
comment on column model.canary_share.changed_at is 'Since when; NULL: it was never set.';
comment on column model.canary_share.changed_by is 'The login that set it; NULL: it was never set.';
