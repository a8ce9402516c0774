"""What a process tells of itself, one class of hooks for each. These are off: they do nothing.

No hook raises, blocks on the network or changes what is done. This module needs nothing beyond the
standard library; telemetry/start.py returns these, or those of telemetry/otel.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from telemetry.health import Health

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ages = Sequence[float] | npt.NDArray[np.float64]

NO_SPAN: AbstractContextManager[object] = nullcontext()


class Hooks:
    """What every process has."""

    on = False
    port: int | None = None

    def __init__(self, health: Health | None = None) -> None:
        """health: what the main loop tells of itself; its methods are hooks too."""
        self.health = health or Health()

    def span(
        self,
        name: str,  # noqa: ARG002 - the off one
        *,
        since_ns: int | None = None,  # noqa: ARG002
        **attributes: str | float,  # noqa: ARG002
    ) -> AbstractContextManager[object]:
        """Open a span: `with telemetry.span("write", kind="trade", rows=10):`; spans nest.

        name: batch, write or push. since_ns: when it began, in nanoseconds since 1970, if before
        now: so a poll that brought nothing needs no span. attributes: messages, topic and partition
        get their names of the conventions, any other becomes ingest.<name>.
        """
        return NO_SPAN

    def close(self) -> None:
        """Push what is left and stop the endpoint; takes 2 seconds at most."""


class PublishingHooks(Hooks):
    """What the processes have that tell whether features go on being published."""

    def publishing(self, url: str) -> None:
        """Have the database's last publish and failing jobs asked for from now on.

        url: of a login that has market_ingest, market_pool or market_reader.
        """


class Telemetry(PublishingHooks):
    """Ingest's hooks. They are called by one thread at a time, the main loop's or the writer's."""

    def batch(
        self,
        kind_rows: Mapping[str, int],
        duplicates: int,
        dead_letters: Mapping[str, int],
        bytes_: int,
        seconds: float,
        event_ages: Ages = (),
        waiting: int = 0,
    ) -> None:
        """Count a batch; call it after its commit.

        kind_rows: rows applied, by kind; duplicates: messages stored before; dead_letters: messages
        refused, by reason; waiting: corrections and cancels stored until their tick comes; the four
        together are the batch's messages. bytes_: size of their values. seconds: from the first
        message at hand to the commit. event_ages: time of commit minus ts of each row applied, in
        seconds, finite; a ts ahead of the clock counts as 0.
        Making the ages costs time: make them only when `on`.
        """

    def lag(self, topic: str, partition: int, messages_behind: int) -> None:
        """Set how many messages of the partition are not committed to the database yet."""

    def revoked(self, topic: str, partition: int) -> None:
        """Forget the partition's lag and pause: another consumer reports them from now on."""

    def retry(self, what: str) -> None:
        """Count one more attempt after a failure of what: database, kafka or registry."""

    def paused(self, topic: str, partition: int, reason: str) -> None:
        """Show the partition as not consumed for now; reason: one of a few fixed words."""

    def resumed(self, topic: str, partition: int) -> None:
        """Show the partition as consumed again."""


class PushTelemetry(Hooks):
    """The hooks of `python -m feast_repo push`, called by its one thread."""

    def pushed(self, series: int, rows: int, seconds: float, published_at: float | None) -> None:
        """Count a round; call it when everything is online.

        series, rows: written, a row for each series and view. seconds: that it took. published_at:
        the moment that is online now, in seconds since 1970; None where nothing was published yet.
        """

    def failed(self) -> None:
        """Count a round that failed."""

    def set_aside(self, series: int) -> None:
        """Note how many series are not published because a formula fails on them."""


class ApiTelemetry(PublishingHooks):
    """The hooks of the feature API, called by its event loop. None takes a tenant or a symbol."""

    def watch(self, waiting: Callable[[], int]) -> None:
        """waiting: how many accesses are not in the database's log yet; asked at each scrape."""

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request. route: one of a few. seconds: from its headers to the answer's end."""

    def answered(self, rows: int) -> None:
        """Count rows of features that were answered."""

    def rejected(self, reason: str) -> None:
        """Count a request that was refused; reason: one of a few fixed words."""


class RouterTelemetry(PublishingHooks):
    """The hooks of the model router, called by its event loop. None takes a tenant or a symbol."""

    def watch(self, waiting: Callable[[], int], mirroring: Callable[[], int]) -> None:
        """Say what is asked at each scrape.

        waiting: how many predictions are not logged yet. mirroring: how many requests wait to be
        mirrored.
        """

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request. route: one of a few. seconds: from its headers to the answer's end."""

    def rejected(self, reason: str) -> None:
        """Count a request that was refused; reason: one of a few fixed words."""

    def predicted(self, model: str, version: int, route: str, rows: int) -> None:
        """Count rows that a version answered; route: champion, canary or fallback."""

    def unscored(self, rows: int) -> None:
        """Count rows that were answered without a score: stale, missing or unknown features."""

    def failed(self, model: str, version: int, role: str) -> None:
        """Count a question that a version did not answer; role: champion, canary or shadow."""

    def mirrored(self, model: str, version: int, rows: int) -> None:
        """Count rows that a version was asked beside the answer."""

    def dropped(self, model: str, rows: int) -> None:
        """Count rows that were not mirrored, because too many waited."""

    def withdrawn(self, model: str, version: int) -> None:
        """Count a canary that was rolled back."""

    def lost(self, rows: int) -> None:
        """Count predictions that the database will never take: their tenant is gone."""
