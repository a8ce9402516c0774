-- depends: 0028_create_tenancy
-- purpose: what tenants read: a barrier view over each relation, filtered by who asks
-- lock: none, the views are new
set local role market_owner;

create view api.feature_version with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    known_at,
    open,
    high,
    low,
    close,
    volume,
    vwap,
    sma_20,
    volatility_1h,
    regime_tag,
    spread_bps,
    order_imbalance,
    cause
from feature.log
where tenant_id = any((select api.visible_tenants())::integer[]);

create view api.feature_1m with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    known_at,
    open,
    high,
    low,
    close,
    volume,
    vwap,
    sma_20,
    volatility_1h,
    regime_tag,
    spread_bps,
    order_imbalance
from (
    select distinct on (tenant_id, symbol, bucket) *
    from feature.log
    where tenant_id = any((select api.visible_tenants())::integer[])
    order by tenant_id asc, symbol asc, bucket asc, known_at desc
) as newest
-- a bar that has gone has no values
where close is not null;

create view api.regime with (security_barrier) as
select
    tenant_id,
    symbol,
    bucket,
    known_at,
    regime_tag
from api.feature_1m
where regime_tag is not null;

comment on view api.feature_version is
'One row per version of a bar''s features that the asking login may see: feature.log.';
comment on view api.feature_1m is
'One row per bar that the asking login may see: its newest published version.';
comment on view api.regime is
'One row per bar with a regime that the asking login may see: its newest published version.';

do $$
declare
    -- relation, what it is over
    c_views constant text[] := array[
        ['trade', 'market'], ['quote', 'market'],
        ['ohlc_1m', 'market'], ['ohlc_5m', 'market'], ['ohlc_15m', 'market'],
        ['ohlc_1h', 'market'], ['ohlc_1d', 'market'], ['flow_1m', 'market'],
        ['flow_1h', 'market'], ['quote_1m', 'market'], ['quote_1h', 'market'],
        ['volatility_1h', 'market'], ['latency_1m', 'market'],
        ['feature_version', 'log'], ['feature_1m', 'log'], ['regime', 'log']
    ];
    v_view text[];
    v_source regclass;
    v_column record;
begin
    foreach v_view slice 1 in array c_views loop
        v_source := case
            when v_view[2] = 'log' then 'feature.log'::regclass
            else format('market.%I', v_view[1])::regclass
        end;
        if v_view[2] = 'market' then
            execute format(
                'create view api.%I with (security_barrier) as select %s from %s '
                'where tenant_id = any((select api.visible_tenants())::integer[])',
                v_view[1],
                (
                    select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
                    from pg_attribute as a
                    where a.attrelid = v_source and a.attnum > 0 and not a.attisdropped
                ),
                v_source
            );
            execute format(
                'comment on view api.%I is %L', v_view[1],
                'The rows that the asking login may see of ' || v_source::text || ': '
                || obj_description(v_source, 'pg_class')
            );
        end if;
        for v_column in
            select a.attname, col_description(v_source, s.attnum) as said
            from pg_attribute as a
            inner join pg_attribute as s on s.attrelid = v_source and a.attname = s.attname
            where a.attrelid = format('api.%I', v_view[1])::regclass and a.attnum > 0
        loop
            execute format(
                'comment on column api.%I.%I is %L', v_view[1], v_column.attname, v_column.said
            );
        end loop;
        execute format('grant select on api.%I to market_tenant', v_view[1]);
    end loop;
end
$$;
