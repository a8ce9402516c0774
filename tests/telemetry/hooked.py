"""Every hook of ingest, called once."""

from telemetry.hooks import Telemetry


def call_every_hook(telemetry: Telemetry) -> None:
    """As the main loop does."""
    with telemetry.span("batch", messages=4), telemetry.span("write", kind="trade"):
        pass
    telemetry.batch({"trade": 2}, 1, {"undecodable": 1}, 400, 0.25, [0.02, 3.0])
    telemetry.lag("trades", 0, 7)
    telemetry.retry("database")
    telemetry.paused("trades", 1, "registry")
    telemetry.resumed("trades", 2)
    telemetry.revoked("trades", 3)
    telemetry.publishing("postgresql://nobody@127.0.0.1:1/nowhere")
    telemetry.health.beat()
    telemetry.health.ready(True)
