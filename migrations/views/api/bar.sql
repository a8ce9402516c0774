-- depends: functions/access/expose functions/access/describe_view functions/api/visible_tenants
call access.expose('market.bar', 'bar');
