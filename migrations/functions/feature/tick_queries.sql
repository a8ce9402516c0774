-- depends: functions/feature/tick_list functions/market/tick_kinds
create or replace function feature.tick_queries() returns jsonb
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_object_agg(
        k.kind,
        format(
            'select series_no as tenant_id, symbol, ts, seq%s, known_at from pg_temp.%I',
            feature.tick_list(k.kind, ', %I'), 'series_' || k.kind
        )
    )
    from unnest(market.tick_kinds()) as k (kind)
$$;
revoke all on function feature.tick_queries() from public;
comment on function feature.tick_queries() is
'What feature.own_value() reads in place of market.trade, quote and bar: the temporary tables '
'series_trade, series_quote and series_bar. Step of feature.compile().';
