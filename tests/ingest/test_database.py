"""A transaction that is tried again begins anew, whatever became of the one before."""

import psycopg
from psycopg.pq import TransactionStatus

from ingest.database import Database


def test_a_connection_that_cannot_roll_back_is_not_used_again(database: str) -> None:
    ingest = Database(database)
    used = []

    def work(connection: psycopg.Connection, again: bool) -> TransactionStatus:
        used.append(connection)
        if not again:
            # as a batch leaves it that was cancelled while its commands were on their way
            connection.pgconn.enter_pipeline_mode()
            connection.pgconn.send_query_params(b"select 1", None)
            raise psycopg.OperationalError("cancelled")
        return connection.info.transaction_status

    assert ingest.transact(work) is TransactionStatus.INTRANS
    assert used[0] is not used[1]
    assert used[0].closed
    ingest.close()
