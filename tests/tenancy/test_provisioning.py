"""One command and one procedure add, change, suspend and remove a tenant."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine import __main__ as command
from engine import reference


@pytest.fixture(scope="module")
def login() -> str:
    return f"reader_{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def url(database: str, login: str) -> Iterator[str]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("insert into access.dataset values ('feed', 3, 'a feed')")
    yield database
    with psycopg.connect(database, autocommit=True) as connection:
        for role in (login, f"{login}_2"):
            connection.execute(f"drop role if exists {role}")


@pytest.fixture
def tenant(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs the command; returns its exit code and what it printed."""
    from engine.resolve import Engine

    monkeypatch.setattr(command, "start", lambda: Engine("given", url))

    def run(*arguments: str) -> tuple[int, str]:
        code = command.main(["tenant", *arguments])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


# tenants of the seeds, before anybody reads for them
SEEDED = [
    "1 demo_a (nobody reads for it yet): logins none; symbols none; datasets none",
    "2 demo_b (nobody reads for it yet): logins none; symbols none; datasets none",
]


def query(url: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(statement, values).fetchall()


def test_a_tenant_from_its_first_day_to_its_last(
    url: str, login: str, tenant: Callable[..., tuple[int, str]]
) -> None:
    set_7 = ("set", "7", "--name", "acme", "--logins", login)
    code, printed = tenant(*set_7, "--symbols", "SYN_ES", "--datasets", "feed")
    assert code == 0
    assert printed.splitlines() == [
        *SEEDED,
        f"7 acme (active): logins {login}; symbols SYN_ES; datasets feed",
    ]
    before = query(url, "select count(*) from audit.event")
    again = tenant(*set_7, "--symbols", "SYN_ES", "--datasets", "feed")
    assert again == (code, printed)
    assert query(url, "select count(*) from audit.event") == before

    two = tenant("set", "7", "--logins", login, f"{login}_2")[1]
    assert f"logins {login}, {login}_2;" in two
    assert "(suspended)" in tenant("suspend", "7")[1]
    assert query(url, "select rolcanlogin from pg_roles where rolname = %s", login) == [(False,)]
    assert "(active)" in tenant("resume", "7")[1]
    assert query(url, "select rolcanlogin from pg_roles where rolname = %s", login) == [(True,)]
    assert "symbols none; datasets none" in tenant("set", "7", "--symbols", "--datasets")[1]
    ended = query(url, "select valid_to is not null from api.entitlement where tenant_id = 7")
    assert ended == [(True,)]
    assert f"logins {login};" in tenant("set", "7", "--logins", login)[1]
    assert tenant("remove", "7") == (0, "\n".join([*SEEDED, ""]))
    assert query(url, "select from pg_roles where rolname like %s", f"{login}%") == []
    assert query(url, "select from market.tenant where tenant_id = 7") == []
    recorded = query(
        url, "select action, object from audit.event where kind = 'role' and action ~ 'role'"
    )
    assert ("create role", login) in recorded
    assert ("drop role", login) in recorded
    assert query(url, "select * from audit.verify()") == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("set", "8"), "tenant 8 is new: say what it is called, --name"),
        (("set", "8", "--name", "x", "--logins", "postgres"), "postgres is there already"),
        (("set", "8", "--name", "x", "--symbols", "NONE"), "'NONE' is no instrument"),
        (("set", "8", "--name", "x", "--datasets", "none"), "'none' is no dataset"),
        (("set", "0", "--name", "x"), "check constraint"),
        (("suspend", "8"), "there is no tenant 8: `make tenant` lists those that are"),
        (("key", "8"), "there is no tenant 8"),
        (("set", "8", "--name", "x", "--logins", "y", "--password-file", "FILE"), "FILE cannot be"),
        (("remove", "8"), "there is no tenant 8"),
        (("set", "8", "--name", "x", "--password-file", "/dev/null"), "is for one login"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    url: str, tenant: Callable[..., tuple[int, str]], arguments: tuple[str, ...], says: str
) -> None:
    code, printed = tenant(*arguments)
    assert code == 1
    assert says in printed
    assert query(url, "select from api.tenant where tenant_id in (0, 8)") == []


def test_a_dataset_that_others_read_keeps_its_tenant(
    tenant: Callable[..., tuple[int, str]],
) -> None:
    tenant("set", "3", "--name", "feed")
    tenant("set", "4", "--name", "reader", "--datasets", "feed")
    code, printed = tenant("remove", "3")
    assert code == 1
    assert "entitled to the dataset of tenant 3" in printed
    tenant("set", "4", "--datasets")
    assert tenant("remove", "3")[0] == 0
    tenant("remove", "4")


def test_a_load_keeps_the_tenants_that_were_added(
    url: str, tenant: Callable[..., tuple[int, str]]
) -> None:
    tenant("set", "9", "--name", "kept")
    reference.load(url)
    assert query(url, "select name from market.tenant order by tenant_id") == [
        ("demo_a",),
        ("demo_b",),
        ("kept",),
    ]
    tenant("remove", "9")


def test_a_password_is_kept_as_a_scram_verifier(
    url: str,
    login: str,
    tmp_path: Path,
    tenant: Callable[..., tuple[int, str]],
) -> None:
    secret = tmp_path / "password"
    secret.write_text("a b'c\n")
    tenant("set", "5", "--name", "p", "--logins", login, "--password-file", str(secret))
    stored = query(url, "select rolpassword from pg_authid where rolname = %s", login)[0][0]
    assert stored.startswith("SCRAM-SHA-256$")
    tenant("remove", "5")


def test_a_tenant_of_the_seeds_gets_a_login_and_a_key_by_one_command(
    url: str, tenant: Callable[..., tuple[int, str]]
) -> None:
    assert tenant("list")[1].splitlines() == SEEDED
    keys = []
    for _ in range(2):
        code, printed = tenant("key", "1")
        key, told = printed.split("\n", 1)
        assert code == 0
        assert f'Authorization: Bearer {key}"' in told
        keys.append(key)
    assert len(set(keys)) == 2
    logins = {query(url, "select * from api.login_of_api_key(%s)", key)[0] for key in keys}
    assert len(logins) == 1
    ((login,),) = query(url, "select login from access.login where tenant_id = 1")
    assert re.fullmatch("demo_a_[0-9a-f]{8}", login)
    assert f"1 demo_a (active): logins {login};" in tenant("list")[1]
    assert tenant("remove", "1")[0] == 0
    reference.load(url)
    assert tenant("list")[1].splitlines() == SEEDED


def test_an_api_key_is_kept_as_a_salted_hash(
    url: str, login: str, tenant: Callable[..., tuple[int, str]]
) -> None:
    tenant("set", "6", "--name", "k", "--logins", login)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"set role {login}")
        key = connection.execute("select api.create_api_key('a test')").fetchone()[0]  # type: ignore[index]
        ended = connection.execute(
            "select api.create_api_key('short', clock_timestamp() + interval '1 ms')"
        ).fetchone()[0]  # type: ignore[index]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select hash from api.api_key")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select api.login_of_api_key(%s)", [key])
    key_id, secret = key.split(".")
    kept = query(url, "select to_jsonb(k)::text from api.api_key as k")
    assert not any(secret in row for (row,) in kept)

    def holder(of_key: str | None) -> Any:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("set role market_pool")
            return connection.execute("select api.login_of_api_key(%s)", [of_key]).fetchone()[0]  # type: ignore[index]

    assert holder(key) == login
    other_id = ended.split(".")[0]
    for wrong in (
        None,
        "",
        "x",
        key_id,
        f"{key_id}.",
        f"{key_id}.x",
        f"{other_id}.{secret}",
        ended,
    ):
        assert holder(wrong) is None
    tenant("suspend", "6")
    assert holder(key) is None
    tenant("resume", "6")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"set role {login}")
        with pytest.raises(psycopg.errors.NoDataFound, match="no API key"):
            connection.execute("select api.revoke_api_key(gen_random_uuid())")
        connection.execute("select api.revoke_api_key(%s)", [key_id])
    assert holder(key) is None
    tenant("remove", "6")
