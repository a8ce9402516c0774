-- depends: functions/feature/define functions/access/expose functions/access/describe_view
--   functions/api/visible_tenants
-- rows: market.contract market.feature_set
call feature.define($sql$
call access.expose('feature.{name log}', '{name feature_version}');
comment on view api.{name feature_version} is
'One row per version of a bar''s features that the asking login may see: feature.{name log}. '
'definition: rows of different ones were made by other formulas.';
$sql$);
