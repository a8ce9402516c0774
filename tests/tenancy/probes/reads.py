"""Reading others' rows straight away."""

from __future__ import annotations

from tests.tenancy.probes.probe import NOTHING, OWN, Probe

READS = [
    Probe("chunk", "select * from <chunk>"),
    Probe("chunk_count", "select count(*) from <chunk>"),
    Probe("materialized", "select * from <materialized>"),
    Probe("partial_view", "select * from <partial>"),
    Probe("direct_view", "select * from <direct>"),
    Probe("compressed", "select * from <compressed>"),
    Probe("hypertable", "select * from market.trade"),
    Probe("bars", "select * from market.ohlc_1m"),
    Probe("feature_log", "select * from feature.log"),
    Probe("feature_series", "select * from feature.series"),
    Probe("market_tenant", "select * from market.tenant"),
    Probe("dead_letter", "select * from market.dead_letter"),
    Probe("audit_event", "select * from audit.event"),
    Probe("audit_head", "select * from audit.published_head"),
    Probe("audit_verify", "select * from audit.verify()"),
    Probe("access_login", "select * from access.login"),
    Probe("access_dataset", "select * from access.dataset"),
    Probe("yoyo", "select * from public._yoyo_migration"),
    Probe("other_pit", "select * from public.feature_pit_snapshot(array['OWN'], now(), null, 1)"),
    Probe("other_pit_hash", "select * from public.feature_pit_hash(array['OWN'], now(), null, 1)"),
    Probe(
        "api_pit_other_tenant",
        "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 1)",
    ),
    Probe(
        "api_pit_unknown_tenant",
        "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 999)",
    ),
    Probe(
        "api_pit_nobody",
        "select * from api.feature_pit_snapshot(array['OWN'], now(), p_tenant_id => 0)",
    ),
    Probe(
        "api_pit_of_a_feed_it_has_not",
        "select bucket from api.feature_pit_snapshot(array['FEED'],"
        " timestamptz '2024-01-01 01:00+00')",
        "42704",
    ),
    Probe("all_series_of_everybody", "select * from public.feature_pit_snapshot_all()"),
    Probe(
        "all_series_of_others",
        "select tenant_id, symbol from api.feature_pit_snapshot_all() where tenant_id <> 2",
        NOTHING,
    ),
    Probe("feast_registry", "create table feast.mine (n integer)"),
    Probe("latest_trade_of_a_feed", "select * from api.latest_trade(array['FEED'])", NOTHING),
    Probe("latest_quote_of_a_feed", "select * from api.latest_quote(array['FEED'])", NOTHING),
    Probe(
        "tape_of_others",
        "select * from api.trade_tape('2000-01-01', 1000000) where tenant_id <> 2",
        NOTHING,
    ),
    Probe(
        "tape_of_others_quotes",
        "select * from api.quote_tape('2000-01-01', 1000000) where tenant_id <> 2",
        NOTHING,
    ),
    Probe("own_trades", "select * from api.trade", OWN),
    Probe("own_tape", "select * from api.trade_tape('2000-01-01', 1000000)", OWN),
    Probe("own_tape_of_quotes", "select * from api.quote_tape('2000-01-01', 1000000)", OWN),
    Probe("own_latest_trade", "select * from api.latest_trade(array['OWN'])", OWN),
    Probe("own_latest_quote", "select * from api.latest_quote(array['OWN'])", OWN),
    Probe(
        "own_series", "select tenant_id, symbol, is_stale from api.feature_pit_snapshot_all()", OWN
    ),
    Probe("own_bars", "select * from api.ohlc_1m", OWN),
    Probe("own_features", "select * from api.feature_version", OWN),
    Probe("own_set_aside", "select * from api.set_aside", OWN),
    Probe("own_newest_features", "select * from api.feature_1m", OWN),
    Probe("own_predictions", "select * from api.prediction", OWN),
    Probe("replay_of_others", "select * from api.replay('<prediction>')", "P0002"),
    Probe("replay_of_nobody", "select * from api.replay(null)", "P0002"),
    Probe(
        "replay_of_others_features",
        "begin; insert into api.prediction"
        " (prediction_id, model, version, symbol, as_of, value, inputs)"
        " values ('<key>', 'theirs', 1, 'OWN', now(), 1, '{\"market_1m\":"
        ' {"as_of": "2024-01-02 01:30Z", "generation": 1, "tenant_id": 1}}\');'
        " select tenant_id, * from api.replay('<key>') where features is null",
        f"{OWN} P0002",
    ),
    Probe("replay_as_owner", "select * from model.replay('<prediction>')"),
    Probe("models", "select * from model.version"),
    Probe("model_aliases", "select * from model.alias"),
    Probe("model_answers", "select * from model.answer"),
    Probe("model_labels", "select * from model.label"),
    Probe("model_label_runs", "select * from model.label_run"),
    Probe("model_metrics", "select * from model.live_metric"),
    Probe("model_alerts", "select * from model.alert"),
    Probe(
        "model_numbers", "select model.numbers_of('public', '[]', 'market_1m', 1, '{}', '{}', 1)"
    ),
    Probe("own_access_log", "select tenant_id, * from api.access_log", OWN),
    Probe("own_tenant", "select * from api.tenant", OWN),
    Probe("own_watchlist", "select * from api.watchlist", OWN),
    Probe("others_trades", "select * from api.trade where tenant_id <> 2", NOTHING),
    Probe("others_or_true", "select * from api.trade where tenant_id = 1 or true", OWN),
    Probe(
        "others_correlated",
        "select * from api.watchlist as w where exists"
        " (select from api.trade as t where t.tenant_id <> w.tenant_id)",
        NOTHING,
    ),
    Probe("key_hash", "select hash from api.api_key"),
    Probe("key_salt", "select salt from api.api_key"),
    Probe("key_row", "select k from api.api_key as k"),
    Probe("key_json", "select to_jsonb(k) from api.api_key as k"),
    Probe("key_where", "select key_id from api.api_key where hash is not null"),
    Probe("key_order", "select key_id from api.api_key order by hash"),
    Probe("key_ids", "select tenant_id, key_id, description from api.api_key", OWN),
    Probe("key_login", "select api.login_of_api_key('x')"),
]
