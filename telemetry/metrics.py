"""The list of all metrics: name, unit and meaning, once for the code, the outputs and the docs.

Names follow OpenTelemetry's semantic conventions (messaging.*, error.type) where there are any. In
Prometheus dots become underscores, and units and _total are appended: ingest_rows_total.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Metric:
    """unit: as UCUM writes it. what: the meaning. bounds: of a histogram's buckets, in the unit."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    what: str
    bounds: tuple[float, ...] = ()


MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
BATCH_BOUNDS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0),
)
# 1 ms to 30 days: live ticks take milliseconds, a consumer that was down hours, a replay days
LATENCY_BOUNDS_S: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0),
    *(MINUTE / 2, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY),
)
ROUND_BOUNDS_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
REQUEST_BOUNDS_S: Final = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0),
)


def _publishing(process: str) -> tuple[Metric, Metric]:
    """What a process tells of the database's publishes and jobs."""
    return (
        Metric(f"{process}.publish.age", "gauge", "s", "Time since the last publish."),
        Metric(
            f"{process}.failing_jobs",
            "gauge",
            "{job}",
            "Scheduled jobs of the database whose last run failed.",
        ),
    )


MESSAGES = Metric(
    "messaging.client.consumed.messages",
    "counter",
    "{message}",
    "Messages taken from Kafka and committed: applied, duplicate, refused or waiting.",
)
BATCH_S = Metric(
    "messaging.process.duration",
    "histogram",
    "s",
    "Time of a batch, from its first message at hand to the commit.",
    BATCH_BOUNDS_S,
)
BATCHES = Metric("ingest.batches", "counter", "{batch}", "Batches committed.")
ROWS = Metric("ingest.rows", "counter", "{row}", "Rows applied, by kind.")
BYTES = Metric("ingest.consumed", "counter", "By", "Size of the values of messages committed.")
DUPLICATES = Metric(
    "ingest.duplicates", "counter", "{message}", "Messages whose tick was stored before."
)
WAITING = Metric(
    "ingest.waiting",
    "counter",
    "{message}",
    "Corrections and cancels stored until their tick comes: market.waiting_event.",
)
DEAD_LETTERS = Metric(
    "ingest.dead_letters",
    "counter",
    "{message}",
    "Messages refused and sent to a dead-letter topic, by reason (error.type).",
)
RETRIES = Metric(
    "ingest.retries",
    "counter",
    "{attempt}",
    "Attempts after a failure of the database, Kafka or the schema registry.",
)
LAG = Metric(
    "ingest.lag", "gauge", "{message}", "Messages of a partition held that are not committed yet."
)
PAUSED = Metric(
    "ingest.paused",
    "gauge",
    "{partition}",
    "1 while a partition held is not consumed, by reason.",
)
LATENCY_S = Metric(
    "ingest.event_to_commit.duration",
    "histogram",
    "s",
    "Time of the database's commit minus ts, of each row applied.",
    LATENCY_BOUNDS_S,
)
INGEST_PUBLISHING: Final = _publishing("ingest")
INGEST: Final = (
    *(MESSAGES, BATCH_S, BATCHES, ROWS, BYTES, DUPLICATES, WAITING, DEAD_LETTERS, RETRIES),
    *(LAG, PAUSED, LATENCY_S, *INGEST_PUBLISHING),
)

PUSH_SERIES = Metric(
    "feature_push.series", "counter", "{series}", "Series written to the online store."
)
PUSH_ROWS = Metric(
    "feature_push.rows",
    "counter",
    "{row}",
    "Rows written to the online store: one for each series and view.",
)
PUSH_FAILURES = Metric(
    "feature_push.failures",
    "counter",
    "{round}",
    "Rounds that failed: the database, the online store or the registry did not answer.",
)
PUSH_S = Metric(
    "feature_push.round.duration",
    "histogram",
    "s",
    "Time of a round, from the call of feature.publish() to the last row written.",
    ROUND_BOUNDS_S,
)
PUSH_LAG = Metric(
    "feature_push.lag",
    "gauge",
    "s",
    "Time from the last publish's moment until it was online.",
)
PUBLISH_AGE = Metric(
    "feature_push.publish.age", "gauge", "s", "Time since the last publish that is online."
)
SET_ASIDE = Metric(
    "feature_push.set_aside",
    "gauge",
    "{series}",
    "Series that are not published because a formula fails on them: feature.set_aside.",
)
PUSH: Final = (PUSH_SERIES, PUSH_ROWS, PUSH_FAILURES, PUSH_S, PUSH_LAG, PUBLISH_AGE, SET_ASIDE)

REQUESTS = Metric(
    "feature_api.requests",
    "counter",
    "{request}",
    "Requests that were answered, by route and status.",
)
REQUEST_S = Metric(
    "feature_api.request",
    "histogram",
    "s",
    "Time from a request's headers to the end of its answer, by route.",
    REQUEST_BOUNDS_S,
)
ENTITIES = Metric(
    "feature_api.entities", "counter", "{row}", "Rows of features that were answered."
)
REJECTED = Metric(
    "feature_api.rejected", "counter", "{request}", "Requests that were refused, by reason."
)
LOG_WAITING = Metric(
    "feature_api.access_log.waiting",
    "gauge",
    "{access}",
    "Accesses that are not in api.access_log yet.",
)
API_PUBLISHING: Final = _publishing("feature_api")
API: Final = (REQUESTS, REQUEST_S, ENTITIES, REJECTED, LOG_WAITING, *API_PUBLISHING)

ROUTER_REQUESTS = Metric(
    "model_router.requests",
    "counter",
    "{request}",
    "Requests that were answered, by route and status.",
)
ROUTER_REQUEST_S = Metric(
    "model_router.request",
    "histogram",
    "s",
    "Time from a request's headers to the end of its answer, by route.",
    REQUEST_BOUNDS_S,
)
ROUTER_REJECTED = Metric(
    "model_router.rejected", "counter", "{request}", "Requests that were refused, by reason."
)
PREDICTIONS = Metric(
    "model_router.predictions",
    "counter",
    "{row}",
    "Rows that were scored, by model, version and route: champion, canary or fallback.",
)
UNSCORED = Metric(
    "model_router.unscored",
    "counter",
    "{row}",
    "Rows that were answered without a score: features stale, missing or unknown to the model.",
)
MODEL_FAILURES = Metric(
    "model_router.failures",
    "counter",
    "{request}",
    "Questions that a version did not answer, by model, version and role.",
)
MIRRORED = Metric(
    "model_router.mirrored",
    "counter",
    "{row}",
    "Rows that a version was asked beside the answer, by model and version.",
)
DROPPED = Metric(
    "model_router.mirror.dropped",
    "counter",
    "{row}",
    "Rows that were not mirrored because too many waited, by model.",
)
WITHDRAWN = Metric(
    "model_router.withdrawn",
    "counter",
    "{canary}",
    "Canaries that were rolled back, by model and version.",
)
LOST = Metric(
    "model_router.prediction_log.lost",
    "counter",
    "{row}",
    "Predictions that the database will never take, because their tenant is gone.",
)
PREDICTIONS_WAITING = Metric(
    "model_router.prediction_log.waiting",
    "gauge",
    "{row}",
    "Predictions that are not in api.prediction yet.",
)
MIRRORING = Metric(
    "model_router.mirror.waiting", "gauge", "{request}", "Requests that wait to be mirrored."
)
ROUTER_PUBLISHING: Final = _publishing("model_router")
ROUTER: Final = (
    *(ROUTER_REQUESTS, ROUTER_REQUEST_S, ROUTER_REJECTED, PREDICTIONS, UNSCORED, MODEL_FAILURES),
    *(MIRRORED, DROPPED, WITHDRAWN, LOST, PREDICTIONS_WAITING, MIRRORING, *ROUTER_PUBLISHING),
)

ALL: Final = (*INGEST, *PUSH, *API, *ROUTER)
