"""What `make status` says of what runs beside the database: broker, Redis, feature API, disk."""

import shutil
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psycopg

from embedded import daemon
from engine import settings
from engine.resolve import STATE_DIR, choice, kafka_bootstrap
from engine.settings import API_PORT, ENVIRONMENT, Env

ANSWER_S = 2.0


def services(env: Env = ENVIRONMENT) -> list[str]:
    """A line each: ok and where it is, or that it does not run and what starts it."""
    return [_broker(env), _redis(env), _api()]


def _broker(env: Env) -> str:
    found = kafka_bootstrap(env)
    if found is None:
        return "broker: not running: make up"
    # of several, one that answers names the others
    for address in found.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
        except (OSError, ValueError):
            continue
        return f"broker: ok, {found}"
    return f"broker: does not answer at {found}: start it, or check KAFKA_BOOTSTRAP"


def _redis(env: Env) -> str:
    # imported here, because it takes as long as all the rest
    from redis import Redis, RedisError
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    url = settings.text(env, "REDIS_URL")
    if not url and choice(env) == "container":
        url = f"redis://127.0.0.1:{settings.number(env, 'REDIS_PORT', 6379, 1, 65_535)}/0"
    if not url:
        from embedded import redis

        running = redis.status(STATE_DIR / "redis")
        if running is None:
            return "Redis: not running: make up"
        url = running.url
    shown = url.rpartition("@")[2].removeprefix("redis://")
    once = Retry(NoBackoff(), retries=0)
    try:
        with Redis.from_url(url, socket_timeout=ANSWER_S, retry=once) as client:
            client.ping()
    except (RedisError, ValueError) as error:
        return f"Redis: does not answer at {shown} ({error}): start it, or check REDIS_URL"
    return f"Redis: ok, {shown}"


def _api() -> str:
    port, of = API_PORT, ""
    # where it has ended, its port may be anybody's
    live = daemon.written(STATE_DIR / "live" / "live.json")
    if live:
        port, of = live[1], ", of the live demo"
    url = f"http://127.0.0.1:{port}"
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=ANSWER_S).close()
    except urllib.error.HTTPError as error:
        return f"feature API: not ready at {url} (HTTP {error.code}): its log says why"
    except OSError:
        return f"feature API: not running at {url}: make serve, or make demo"
    return f"feature API: ok, {url}{of}"


def disk(connection: psycopg.Connection[Any]) -> str:
    """How large the database is, and .state, and what room is left where that is."""
    ((size,),) = connection.execute(
        "select pg_size_pretty(pg_database_size(current_database()))"
    ).fetchall()
    free = shutil.disk_usage(_existing(STATE_DIR)).free
    kept = sum(one.lstat().st_size for one in STATE_DIR.rglob("*") if one.is_file())
    return f"disk: database {size}, .state {kept / 1e6:,.0f} MB, {free / 1e9:,.1f} GB free there"


def _existing(path: Path) -> Path:
    return path if path.exists() else path.parent
