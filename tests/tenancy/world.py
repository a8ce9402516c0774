"""Three tenants with ticks, bars and features: 1 and 2 are customers, 3 owns a shared feed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tests.known import known_from_the_beginning

VIEWS = (
    *("trade", "quote", "bar", "ohlc_1m", "ohlc_5m", "ohlc_15m", "ohlc_1h", "ohlc_1d", "flow_1m"),
    *("flow_1h", "quote_1m", "quote_1h", "mid_1m", "range_1h", "latency_1m"),
    *("feature_version", "feature_1m", "regime", "set_aside"),
    *("momentum_1m_feature_version", "momentum_1m", "daily_feature_version", "daily"),
)
AGGREGATES = VIEWS[3:15]
NO_LOGINS = "the embedded engine lets everybody in as its one superuser"
FILL = """
    insert into market.instrument
    select s, s, 'SIM', 'crypto', 'USD', 'crypto_24x7', 0.01
    from unnest(array['OWN', 'BOTH', 'FEED']) as s;
    insert into market.trade (tenant_id, symbol, ts, seq, price, size, side, known_at)
    select t, s, ts, n, 100 * t + n % 7, 1, 'buy', ts
    from (values (1, 'OWN'), (2, 'OWN'), (1, 'BOTH'), (3, 'BOTH'), (3, 'FEED')) as h (t, s)
    cross join generate_series(0, 400) as n
    cross join lateral (select timestamptz '2024-01-01 00:00+00' + n * interval '20 s' as ts) as g;
    insert into market.quote (tenant_id, symbol, ts, seq, bid, bid_size, ask, ask_size, known_at)
    select tenant_id, symbol, ts, seq, price, 1, price + 1, 1, known_at from market.trade;
    insert into market.bar (tenant_id, symbol, ts, seq, open, high, low, close, known_at)
    select tenant_id, symbol, ts, 0, price, price, price, price, ts + interval '1 minute'
    from market.trade where extract(second from ts) = 0;
    insert into feature.log (
        tenant_id, symbol, bucket, known_at, open, high, low, close, volume, regime_tag, cause
    )
    select tenant_id, symbol, bucket, bucket + interval '61 s' + n * interval '1 hour',
        open, high, low, close + n, volume, 'range', case n when 0 then 'close' else 'late' end
    from market.ohlc_1m cross join generate_series(0, 1) as n;
    insert into feature.momentum_1m_log (
        tenant_id, symbol, bucket, known_at, closes_at, rsi_14, cause
    )
    select tenant_id, symbol, bucket, known_at, bucket + interval '1 minute', close, cause
    from feature.log;
    insert into feature.daily_log (tenant_id, symbol, bucket, known_at, closes_at, close, cause)
    select tenant_id, symbol, '2024-01-01Z', '2024-01-02Z', '2024-01-02Z', max(close), 'close'
    from feature.log group by 1, 2;
    insert into feature.series (symbol, tenant_id)
    select distinct symbol, tenant_id from feature.log;
    insert into feature.set_aside (
        tenant_id, symbol, since, tries, tried_at, try_after, amends, sqlstate, message
    )
    select tenant_id, symbol, now(), 1, now(), now(), 0, '22012', 'division by zero'
    from feature.series;
    update feature.clock set published_at = live_from;
"""


@dataclass(frozen=True)
class World:
    """url: as superuser. logins: of each tenant. act_as(role): a session that has set that role."""

    url: str
    logins: dict[int, str]
    act_as: Callable[[str], AbstractContextManager[psycopg.Connection[Any]]]


def _refresh(connection: psycopg.Connection[Any], aggregate: str, limit_s: float = 60) -> None:
    """Refresh all of it; while a policy of the database's own does, wait."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            connection.execute(
                f"call refresh_continuous_aggregate('market.{aggregate}', null, null)".encode()
            )
        except psycopg.errors.LockNotAvailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


@contextmanager
def made_in(database: str) -> Iterator[World]:
    """The world, made in a migrated database; its logins are dropped at the end."""
    name = uuid.uuid4().hex[:8]
    logins = {tenant: f"t{tenant}_{name}" for tenant in (1, 2, 3)}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FILL)
        known_from_the_beginning(connection)
        for aggregate in AGGREGATES:
            _refresh(connection, aggregate)
        # a copy of a database has not its rights to connect
        connection.execute("call access.lockdown()")
        connection.execute("insert into access.dataset values ('feed', 3, 'a feed')")
        for tenant, login in logins.items():
            connection.execute(
                "call access.set_tenant(%s, p_name => %s, p_logins => array[%s]::name[],"
                " p_datasets => %s)",
                [tenant, login, login, ["feed"] if tenant == 1 else []],
            )

    @contextmanager
    def act_as(role: str) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            yield connection

    yield World(database, logins, act_as)
    with psycopg.connect(database, autocommit=True) as connection:
        for tenant in (1, 2):
            connection.execute("call access.set_tenant(%s, p_datasets => '{}')", [tenant])
        for tenant in logins:
            connection.execute("call access.remove_tenant(%s)", [tenant])
