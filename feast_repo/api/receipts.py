"""Receipts of what the API answers, and whether they still hold, of api.receipt(), api.verify()."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg
from psycopg import AsyncCursor, sql
from psycopg.rows import dict_row

from feast_repo.api.errors import Refused, unauthorized, unavailable
from feast_repo.api.keys import Pool, Tenant
from feast_repo.api.models import Verification
from feast_repo.api.read import NO_TIME, Plan, Row, listed
from feast_repo.receipts import KNOWN, RECEIPT, same
from feast_repo.sets import snapshot_of

RECEIPT_S: Final = 10.0
# Of the pool's connections, so that keys are read whatever receipts take.
CONNECTIONS: Final = 2
VERIFY: Final = """
    select v.*
    from api.verify(
        %s::text, %s::text[], %s::timestamptz[], %s::timestamptz[], %s::integer, %s::boolean
    ) as v
"""
# What the caller can mend; of the classes of SQLSTATE, data exceptions.
STATUSES: Final = {"42501": 403, "42704": 404}
log = logging.getLogger("feast_repo.api")

# what was answered by (set, tenant), then (symbol, moment), then field
Answered = dict[tuple[str, int], dict[tuple[str, str], dict[str, Any]]]


def answered(plan: Plan, rows: Sequence[Row], results: Sequence[Mapping[str, Any]]) -> Answered:
    """The questions whose answers the values are; results: a column for each name of the plan.

    Errors: Refused 422 where the values do not say of which moment they are.
    """
    missing = plan.needed - {of[0] for of in plan.of_sets if of is not None}
    if missing:
        raise Refused(
            422,
            "receipt",
            f"a receipt needs a feature of {listed(sorted(missing))} in the answer; what reads no "
            "set of features has no receipt: ask for it in a request of its own",
        )
    found: Answered = {}
    for of, column in zip(plan.of_sets, results, strict=True):
        if of is None:
            continue
        values = zip(rows, column["values"], column["event_timestamps"], strict=True)
        for (tenant_id, symbol), value, at in values:
            if at != NO_TIME:
                pairs = found.setdefault((of[0], tenant_id), {})
                pairs.setdefault((symbol, at), {})[of[1]] = value
    return found


class Receipts:
    """Asks the database as the tenant."""

    def __init__(self, pool: Pool) -> None:
        """pool: opened by whoever runs this."""
        self._pool = pool
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def of(self, tenant: Tenant, found: Answered) -> list[dict[str, Any]]:
        """A receipt for each of answered(), once the log has given the same values.

        Errors: Refused 503 where it does not, or the database takes too long.
        """
        receipts = []
        async with self._asking(tenant) as cursor:
            for (feature_set, tenant_id), pairs in found.items():
                question = [[symbol for symbol, _ in pairs], [at for _, at in pairs], tenant_id]
                query = sql.SQL(KNOWN).format(
                    function=sql.Identifier("api", snapshot_of(feature_set))
                )
                await cursor.execute(query, question)
                known = await cursor.fetchall()
                for values, row in zip(pairs.values(), known, strict=True):
                    if not all(same(value, row[field]) for field, value in values.items()):
                        log.error("online is not what the log says: %s: %s", row, values)
                        raise unavailable(
                            "receipt",
                            f"what is online of {listed([row['symbol']])} is not what the log says "
                            "as of its moment, and is being written anew",
                        )
                await cursor.execute(
                    sql.SQL(RECEIPT).format(schema=sql.Identifier("api")), [*question, feature_set]
                )
                (written,) = await cursor.fetchall()
                receipts.append(
                    {
                        "receipt": written["receipt"],
                        "symbols": question[0],
                        "as_of": question[1],
                        "tenant_id": tenant_id,
                    }
                )
        return receipts

    async def verify(self, tenant: Tenant, asked: Verification) -> dict[str, Any]:
        """What api.verify() says. Errors: Refused 403, 404, 422 with its words; 503."""
        async with self._asking(tenant) as cursor:
            await cursor.execute(
                VERIFY,
                [
                    asked.receipt,
                    asked.symbols,
                    asked.as_of,
                    asked.known_as_of,
                    asked.tenant_id,
                    asked.elsewhere,
                ],
            )
            (found,) = await cursor.fetchall()
        return found

    @asynccontextmanager
    async def _asking(self, tenant: Tenant) -> AsyncIterator[AsyncCursor[dict[str, Any]]]:
        """A cursor as the tenant, with one view of the log."""
        try:
            async with (
                asyncio.timeout(RECEIPT_S),
                self._free,
                self._pool.connection() as connection,
                connection.transaction(),
            ):
                await connection.execute(
                    "set transaction isolation level repeatable read, read only"
                )
                try:
                    await connection.execute(
                        sql.SQL("set local role {}").format(sql.Identifier(tenant.login))
                    )
                except psycopg.errors.InvalidParameterValue:  # it was dropped
                    raise unauthorized() from None
                yield connection.cursor(row_factory=dict_row)
        except (psycopg.Error, OSError, TimeoutError) as error:
            raise refused(error) from error


def refused(error: Exception) -> Refused:
    """What the database said, where it is about the request; else that it does not answer."""
    state = getattr(error, "sqlstate", None) or ""
    status = 422 if state.startswith("22") else STATUSES.get(state)
    # what psycopg refuses to send has no state
    if isinstance(error, psycopg.DataError) and not state:
        return Refused(422, "receipt", str(error))
    if status is None or not isinstance(error, psycopg.Error):
        log.error("no receipt: %s: %s", type(error).__name__, error)
        return unavailable("database", "the database does not answer, or takes too long")
    said = [error.diag.message_primary, error.diag.message_hint]
    return Refused(status, "receipt", ". ".join(part for part in said if part))
