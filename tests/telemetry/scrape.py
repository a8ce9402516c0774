"""What a process's endpoint answers."""

from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from telemetry.hooks import Hooks

HANGS_S = 60.0  # only guards against hanging: nothing here depends on speed


def get(telemetry: Hooks, path: str) -> tuple[int, str]:
    """Status and body."""
    try:
        with urlopen(f"http://127.0.0.1:{telemetry.port}{path}", timeout=HANGS_S) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """{(name, label value, ...): value}, label values in the order of their names."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            at = (sample.name, *(value for _, value in sorted(sample.labels.items())))
            assert at not in found
            found[at] = sample.value
    return found


def scrape(telemetry: Hooks) -> dict[tuple[str, ...], float]:
    """The samples of /metrics."""
    status, text = get(telemetry, "/metrics")
    assert status == 200
    return samples(text)
