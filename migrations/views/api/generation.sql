create or replace view api.generation with (security_barrier) as
select
    g.feature_set,
    g.generation,
    g.switched_at,
    max(g.generation) over (partition by g.feature_set) = g.generation as is_in_use
from feature.generation as g;
grant select on api.generation to market_tenant;
comment on view api.generation is
'One row per set of features and generation of its log, for api.feature_pit_snapshot_in() and its '
'like. All tenants have the same.';
comment on column api.generation.feature_set is 'The set.';
comment on column api.generation.generation is 'Its number, from 1.';
comment on column api.generation.switched_at is
'Stamp of the last publish before it came into use; -infinity: it is the first.';
comment on column api.generation.is_in_use is 'It is the one that is read by default.';
