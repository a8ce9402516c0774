"""Tenants on the engine in use: python -m engine tenant set | suspend | resume | remove | list.

What a tenant is, the procedures access.set_tenant() and access.remove_tenant() say.
"""

import argparse
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from engine.errors import TenantRefused
from engine.server import connect

TENANTS = """
    select
        t.tenant_id,
        t.name,
        t.status,
        array(select l.login from access.login as l where l.tenant_id = t.tenant_id order by 1),
        array(select w.symbol from api.watchlist as w where w.tenant_id = t.tenant_id order by 1),
        array(
            select e.dataset from api.entitlement as e
            where e.tenant_id = t.tenant_id
                and e.valid_from <= now() and (e.valid_to is null or e.valid_to > now())
            order by 1
        )
    from api.tenant as t
    order by t.tenant_id
"""


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
    ):
        actions.add_parser(action, help=meaning).add_argument("tenant_id", type=int)
    actions.add_parser("list", help="print the tenants")


def run(url: str, options: argparse.Namespace) -> str:
    """Do it and return what to print. Errors: TenantRefused with the database's own remedy."""
    with connect(url) as connection:
        try:
            if options.action == "set":
                _set(connection, options)
            elif options.action == "remove":
                connection.execute("call access.remove_tenant(%s)", [options.tenant_id])
            elif options.action != "list":
                status = {"suspend": "suspended", "resume": "active"}[options.action]
                connection.execute(
                    "call access.set_tenant(%s, p_status => %s)", [options.tenant_id, status]
                )
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


def _names(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _set(connection: psycopg.Connection[Any], options: argparse.Namespace) -> None:
    if options.password_file and len(options.logins or ()) != 1:
        raise TenantRefused("--password-file is for one login: give one with --logins")
    with connection.transaction():
        connection.execute(
            "call access.set_tenant(%s, p_name => %s, p_logins => %s::name[],"
            " p_symbols => %s::text[], p_datasets => %s::text[])",
            [
                options.tenant_id,
                options.name,
                options.logins,
                options.symbols,
                options.datasets,
            ],
        )
        if options.password_file:
            login = options.logins[0]
            password = options.password_file.read_text().strip().encode()
            # hashed here, so that no log of the server can hold the password
            verifier = connection.pgconn.encrypt_password(
                password, login.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("alter role {} password {}").format(
                    sql.Identifier(login), sql.Literal(verifier.decode())
                )
            )
