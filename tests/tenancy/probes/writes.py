"""Changing what is not its own."""

from __future__ import annotations

from tests.tenancy.probes.probe import NOTHING, Probe

WRITES = [
    Probe("insert_trade", "insert into market.trade default values"),
    Probe("insert_view", "insert into api.trade (tenant_id, symbol) values (1, 'OWN')"),
    Probe("update_view", "update api.trade set price = 0"),
    Probe("delete_view", "delete from api.trade"),
    Probe("delete_aggregate_view", "delete from api.ohlc_1m", "42501 55000"),
    Probe("delete_newest_view", "delete from api.feature_1m", "42501 55000"),
    Probe(
        "merge_view",
        "merge into api.trade as t using (values (1)) as v (n) on t.tenant_id = v.n"
        " when matched then delete",
        "42501 0A000",
    ),
    Probe("lock_rows_of_view", "select * from api.trade for update"),
    Probe("lock_rows_of_table", "select * from api.watchlist for key share"),
    Probe("delete_others_watchlist", "delete from api.watchlist where tenant_id = 1", NOTHING),
    Probe(
        "delete_returning_others",
        "delete from api.watchlist as w using api.watchlist as o where w.tenant_id = 1"
        " and o.tenant_id = 1 returning o.*",
        NOTHING,
    ),
    Probe("update_watchlist", "update api.watchlist set tenant_id = 1"),
    Probe("truncate_watchlist", "truncate api.watchlist"),
    Probe("insert_others_watchlist", "insert into api.watchlist values (1, 'NOT_THERE')"),
    Probe(
        "upsert_others_watchlist",
        "insert into api.watchlist values (1, 'NOT_THERE') on conflict do nothing",
    ),
    Probe(
        "upsert_update_watchlist",
        "insert into api.watchlist (symbol) values ('OWN') on conflict (tenant_id, symbol)"
        " do update set tenant_id = 1",
    ),
    Probe(
        "merge_watchlist",
        "merge into api.watchlist as w using (values (1, 'X')) as v (t, s) on w.tenant_id = v.t"
        " when not matched then insert values (v.t, v.s)",
    ),
    Probe(
        "copy_into_watchlist",
        "copy api.watchlist (tenant_id, symbol) from stdin",
        "0A000 42501",
    ),
    Probe(
        "insert_others_prediction",
        "insert into api.prediction (tenant_id, model, symbol, as_of, value)"
        " values (1, 'm', 'OWN', now(), 1)",
    ),
    Probe(
        "backdate_prediction",
        "insert into api.prediction (model, symbol, as_of, predicted_at, value)"
        " values ('m', 'OWN', now(), '2024-01-01', 1)",
    ),
    Probe(
        "insert_others_served_prediction",
        "insert into api.prediction (tenant_id, prediction_id, model, version, alias, route,"
        " symbol, as_of, value, inputs, latency_ms, shadow_version, shadow_value) values (1,"
        " gen_random_uuid(), 'theirs', 1, 'champion', 'champion', 'OWN', now(), 1, '{}', 1, 1, 1)",
    ),
    Probe(
        "replace_others_prediction",
        "insert into api.prediction (prediction_id, model, symbol, as_of, value)"
        " values ('<prediction>', 'm', 'OWN', now(), 1)"
        " on conflict (tenant_id, prediction_id) do update set value = 0",
    ),
    Probe(
        "forge_who_logged",
        "insert into api.prediction (model, symbol, as_of, value, logged_by)"
        " values ('theirs', 'OWN', now(), 1, 'router')",
    ),
    Probe("register_model", "select model.register('mine', 1, 2, 'run', '{}')"),
    Probe("insert_model", "insert into model.version values ('mine', 1, 2, 'run', '{}')"),
    Probe("promote_model", "select model.promote('theirs', 'canary', 1, 'better')"),
    Probe("insert_promotion", "insert into model.promotion (model, alias) values ('m', 'canary')"),
    Probe("withdraw_canary", "select model.withdraw_canary('theirs', 1, 'worse')"),
    Probe("set_canary_share", "select model.set_canary_share('theirs', 1)"),
    Probe("note_labels", "call model.note_labels()"),
    Probe("queue_labels", "select model.queue_labels()"),
    Probe("delete_label", "delete from model.label"),
    Probe("delete_prediction", "delete from api.prediction"),
    Probe("update_prediction", "update api.prediction set value = 0"),
    Probe(
        "forge_access_log", "insert into api.access_log (tenant_id, statement) values (1, 'forged')"
    ),
    Probe(
        "forge_access_login",
        "insert into api.access_log (login, statement) values ('<victim>', 'forged')",
    ),
    Probe("delete_access_log", "delete from api.access_log"),
    Probe(
        "insert_key",
        "insert into api.api_key (tenant_id, login, description, salt, hash)"
        " select 1, '<victim>', '', uuid_send(gen_random_uuid()), sha256('')",
    ),
    Probe("update_key", "update api.api_key set revoked_at = null"),
    Probe("revoke_others_key", "select api.revoke_api_key('<key>')", "P0002"),
    Probe("key_without_description", "select api.create_api_key(null)", "23502"),
    Probe("entitle_itself", "insert into api.entitlement (tenant_id, dataset) values (2, 'feed')"),
    Probe("rename_tenant", "update api.tenant set name = 'x'"),
    Probe("change_login", "update access.login set tenant_id = 1"),
    Probe("set_tenant", "call access.set_tenant(2, p_datasets => array['feed'])"),
    Probe("remove_tenant", "call access.remove_tenant(1)"),
    Probe("drop_login", "call access.drop_login('<victim>')"),
    Probe("set_login", "call access.set_login('<victim>', false)"),
    Probe("lockdown", "call access.lockdown()"),
    Probe("audit_record", "select audit.record('ddl', 'forged', 'x')"),
    Probe("audit_insert", "insert into audit.event default values"),
    Probe("audit_delete", "delete from audit.event"),
    Probe("publish", "call feature.publish(now(), 1)"),
    Probe("apply_ticks", "select market.apply_trades()"),
    Probe("kafka_offset", "update market.kafka_offset set next_offset = 0"),
]
