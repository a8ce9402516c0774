-- depends: functions/access/expose functions/access/describe_view functions/api/visible_tenants
call access.expose('feature.set_aside', 'set_aside');
