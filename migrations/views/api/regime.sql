-- depends: functions/access/describe_view functions/api/visible_tenants views/api/feature_1m
-- rows: market.contract market.feature_set
do $$
declare
    -- those that name a state, not a number
    v_tags constant text := (
        select string_agg(quote_ident(c.field), ', ' order by c.ordinal)
        from market.contract as c
        where c.feature_set = 'market_1m' and c.data_type = 'text'
    );
begin
    execute format(
        'create or replace view api.regime with (security_barrier) as '
        'select tenant_id, symbol, bucket, known_at, %1$s from api.feature_1m '
        'where not (row(%1$s) is null)',
        v_tags
    );
end
$$;
grant select on api.regime to market_tenant;
call access.describe_view('api.regime', 'feature.log');
comment on view api.regime is
'One row per bar with a regime that the asking login may see: its newest published version.';
