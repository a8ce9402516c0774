-- depends: functions/access/expose functions/access/describe_view functions/api/visible_tenants
-- a column that the table gets comes last here, too
call access.expose('feature.set_aside', 'set_aside');
