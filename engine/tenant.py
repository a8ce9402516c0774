"""Tenants on the engine in use: python -m engine tenant set|suspend|resume|remove|key|list.

What a tenant is, the procedures access.set_tenant() and access.remove_tenant() say.
"""

import argparse
import json
import secrets
import sys
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from engine.errors import TenantRefused
from engine.server import connect
from engine.settings import API_PORT

# those of seeds/tenant.csv are tenants before anybody reads for them
TENANTS = """
    select
        m.tenant_id,
        m.name,
        coalesce(t.status, 'nobody reads for it yet'),
        array(select l.login from access.login as l where l.tenant_id = m.tenant_id order by 1),
        array(select w.symbol from api.watchlist as w where w.tenant_id = m.tenant_id order by 1),
        array(
            select e.dataset from api.entitlement as e
            where e.tenant_id = m.tenant_id
                and e.valid_from <= now() and (e.valid_to is null or e.valid_to > now())
            order by 1
        )
    from market.tenant as m
    left join api.tenant as t on m.tenant_id = t.tenant_id
    order by m.tenant_id
"""
# the key alone is on stdout, for KEY=$(...)
CURL = """\
the key is shown once; with it, while `make serve` or the demo's live part runs:
  curl -s http://localhost:{port}/get-online-features -H "Authorization: Bearer {key}" \\
    -d '{{"feature_service": "market_v1", "entities": {{"symbol": {symbols}}}}}'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line of `python -m engine tenant`."""
    actions = parser.add_subparsers(dest="action", required=True)
    change = actions.add_parser("set", help="add a tenant, or change what is given of it")
    change.add_argument("tenant_id", type=int)
    change.add_argument("--name")
    for option, meaning in (
        ("--logins", "roles that read for it: all of them, others are dropped"),
        ("--symbols", "its watchlist"),
        ("--datasets", "what it may see besides its own data"),
    ):
        change.add_argument(option, nargs="*", metavar="NAME", help=meaning)
    change.add_argument(
        "--password-file", type=Path, help="file with the password of the only one of --logins"
    )
    for action, meaning in (
        ("suspend", "its logins neither log in nor see anything"),
        ("resume", "take it back"),
        ("remove", "drop its logins and all that api keeps of it"),
        ("key", "make an API key for one of its logins, print it, and how to ask with it"),
    ):
        actions.add_parser(action, help=meaning).add_argument("tenant_id", type=int)
    actions.add_parser("list", help="print the tenants")


def run(url: str, options: argparse.Namespace) -> str:
    """Do it and return what to print. Errors: TenantRefused with the database's own remedy."""
    with connect(url) as connection:
        try:
            known = {row[0]: row for row in connection.execute(TENANTS).fetchall()}
            if options.action == "set":
                _set(connection, options, known)
            elif options.action != "list":
                if options.tenant_id not in known:
                    raise TenantRefused(
                        f"there is no tenant {options.tenant_id}: `make tenant` lists those that "
                        f'are, `make tenant ARGS="set {options.tenant_id} --name NAME"` adds it'
                    )
                if options.action == "key":
                    return _shown(connection, options.tenant_id)
                _change(connection, options)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            raise TenantRefused("this database knows no tenants yet: run make migrate") from error
        except psycopg.Error as error:
            hint = error.diag.message_hint
            raise TenantRefused(
                (error.diag.message_primary or str(error)) + (f". {hint}" if hint else "")
            ) from error
        rows = connection.execute(TENANTS).fetchall()
    return "\n".join(
        f"{tenant_id} {name} ({status}): logins {_names(logins)}; symbols {_names(symbols)}; "
        f"datasets {_names(datasets)}"
        for tenant_id, name, status, logins, symbols, datasets in rows
    )


def make_key(connection: psycopg.Connection[Any], tenant_id: int, description: str) -> str:
    """A new API key of a known tenant, for its first login; one is made where it has none.

    connection: autocommit, of whoever may change tenants. Errors: psycopg.Error.
    """
    rows = connection.execute(
        "select m.name, (select min(l.login) from access.login as l"
        " where l.tenant_id = m.tenant_id) from market.tenant as m where m.tenant_id = %s",
        [tenant_id],
    ).fetchall()
    ((name, login),) = rows
    with connection.transaction():
        if login is None:
            # roles are the server's: another database of it may have a tenant of this name
            login = f"{name}_{secrets.token_hex(4)}"
            connection.execute(
                "call access.set_tenant(%s, p_name => %s, p_logins => array[%s]::name[])",
                [tenant_id, name, login],
            )
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(login)))
        made: Any = connection.execute("select api.create_api_key(%s)", [description]).fetchone()
    return str(made[0])


def _shown(connection: psycopg.Connection[Any], tenant_id: int) -> str:
    """A new key, and what to send with it."""
    key = make_key(connection, tenant_id, "python -m engine tenant key")
    symbols = connection.execute(
        "select s.symbol from feature_pit_snapshot_all() as s where s.tenant_id = %s"
        " order by s.bucket desc nulls last, s.symbol limit 2",
        [tenant_id],
    ).fetchall()
    asked = [symbol for (symbol,) in symbols] or ["SYMBOL"]
    print(CURL.format(key=key, port=API_PORT, symbols=json.dumps(asked)), file=sys.stderr)
    return key


def _change(connection: psycopg.Connection[Any], options: argparse.Namespace) -> None:
    if options.action == "remove":
        connection.execute("call access.remove_tenant(%s)", [options.tenant_id])
        return
    status = {"suspend": "suspended", "resume": "active"}[options.action]
    connection.execute("call access.set_tenant(%s, p_status => %s)", [options.tenant_id, status])


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _set(
    connection: psycopg.Connection[Any], options: argparse.Namespace, known: dict[int, Any]
) -> None:
    if options.password_file and len(options.logins or ()) != 1:
        raise TenantRefused("--password-file is for one login: give one with --logins")
    name = options.name
    if name is None and options.tenant_id not in known:
        raise TenantRefused(f"tenant {options.tenant_id} is new: say what it is called, --name")
    if name is None:
        name = known[options.tenant_id][1]
    password = _password(options.password_file) if options.password_file else None
    with connection.transaction():
        connection.execute(
            "call access.set_tenant(%s, p_name => %s, p_logins => %s::name[],"
            " p_symbols => %s::text[], p_datasets => %s::text[])",
            [options.tenant_id, name, options.logins, options.symbols, options.datasets],
        )
        if password is not None:
            login = options.logins[0]
            # hashed here, so that no log of the server can hold the password
            verifier = connection.pgconn.encrypt_password(
                password, login.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(login), sql.Literal(verifier.decode())
                )
            )


def _password(path: Path) -> bytes:
    try:
        found = path.read_text().strip().encode()
    except (OSError, UnicodeDecodeError) as error:
        raise TenantRefused(
            f"--password-file {path} cannot be read ({error}): give a file with the password in it"
        ) from error
    if not found:
        raise TenantRefused(f"--password-file {path} is empty: write the password into it")
    return found
