"""The same features from psql, from a Feast training set and from the online store."""

import io
from contextlib import redirect_stdout
from datetime import UTC
from typing import Any

import psycopg
from psycopg.rows import dict_row

from demo import contract

SNAPSHOT = """
    select s.*
    from feature_pit_snapshot(%s::text[], %s::timestamptz, null::timestamptz, %s) as s
"""


def compare() -> list[dict[str, Any]]:
    """Bring the last bar of every series online and read it back in three ways.

    One row per series and field that has a value in one of them: tenant_id, symbol, as_of, field,
    psql, offline, online. The engine and the online store are those that feast_repo finds; both are
    started where they are not there.
    """
    # imported here, because Feast takes seconds to import
    import pandas as pd

    from feast_repo.quiet import hide_experimental
    from feast_repo.store import apply, database_url, open_store

    hide_experimental()
    store = open_store()
    apply(store)
    with psycopg.connect(database_url(store), autocommit=True, row_factory=dict_row) as connection:
        fields = [one["field"] for one in contract.read(connection)]
        series = connection.execute(
            "select tenant_id::bigint, symbol from feature.series order by 1, 2"
        ).fetchall()
        last: Any = connection.execute(
            "select max(bucket) + interval '1 minute' as bar_end from feature.log"
        ).fetchone()
        if last["bar_end"] is None:
            return []
        with redirect_stdout(io.StringIO()):  # Feast's progress, beside the demo's own
            store.materialize(last["bar_end"] - pd.Timedelta("1 day"), last["bar_end"])
        service = store.get_feature_service("market_v1")
        answer = store.get_online_features(features=service, entity_rows=series).proto
        names = list(answer.metadata.feature_names.val)
        # what is online says itself of which moment it is
        moments = [
            at.ToDatetime(tzinfo=UTC)
            for at in answer.results[names.index(fields[0])].event_timestamps
        ]
        online = store.get_online_features(features=service, entity_rows=series).to_dict()
        entities = pd.DataFrame(series)
        entities["event_timestamp"] = moments
        offline = store.get_historical_features(entities, service).to_arrow().to_pylist()
        rows = []
        for place, (key, at) in enumerate(zip(series, moments, strict=True)):
            known: Any = connection.execute(
                SNAPSHOT, [[key["symbol"]], at, key["tenant_id"]]
            ).fetchone()
            for field in fields:
                told = {
                    "psql": known[field],
                    "offline": offline[place][field],
                    "online": online[field][place],
                }
                # of a market that is closed all three know nothing, which is no value to compare
                if any(value is not None for value in told.values()):
                    rows.append({**key, "as_of": at, "field": field, **told})
    return rows
