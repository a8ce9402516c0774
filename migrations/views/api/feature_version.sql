-- depends: functions/access/expose functions/access/describe_view functions/api/visible_tenants
-- rows: market.contract
call access.expose('feature.log', 'feature_version');
comment on view api.feature_version is
'One row per version of a bar''s features that the asking login may see: feature.log.';
