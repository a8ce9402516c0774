create or replace view api.definition with (security_barrier) as
select
    d.feature_set,
    d.definition,
    d.hash as sha256,
    d.fields,
    d.known_at,
    c.definition is not null as is_in_use
from feature.definition as d
left join feature.current_definition as c
    on d.feature_set = c.feature_set and d.definition = c.definition;
grant select on api.definition to market_tenant;
comment on view api.definition is
'One row per definition that a set of features has had: what api.feature_version.definition names, '
'and a warning of mixed ones. All tenants have the same.';
comment on column api.definition.feature_set is 'The set.';
comment on column api.definition.definition is 'Its number.';
comment on column api.definition.sha256 is
'Digest of all that decides its values, in hexadecimal digits: equal formulas, equal digest.';
comment on column api.definition.fields is 'Its fields.';
comment on column api.definition.known_at is 'Stamp of the last publish before it was first used.';
comment on column api.definition.is_in_use is 'Publishes compute with it now.';
