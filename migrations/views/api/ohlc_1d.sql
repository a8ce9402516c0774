-- depends: functions/access/expose functions/access/describe_view functions/api/visible_tenants
call access.expose('market.ohlc_1d', 'ohlc_1d');
