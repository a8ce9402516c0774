"""What the commands print."""

from contextlib import nullcontext

import pytest

from engine import __main__ as command
from engine import capacity, reference

MANY = [f"{n:04}_m" for n in range(1, 10)] + [f"functions/api/f{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("applied", "said"),
    [
        ([], "no migration to apply"),
        (["0018_a", "views/api/trade"], "applied 0018_a, views/api/trade"),
        (MANY, "applied 9 migrations, 20 functions and views"),
    ],
)
def test_migrate_says_what_it_did(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    applied: list[str],
    said: str,
) -> None:
    """Without a server: what migrate() returns is its own tests' business."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere")
    monkeypatch.setattr(command, "migrate", lambda *_: applied)
    monkeypatch.setattr(reference, "load", lambda _: ["tenant: 3 rows"])
    monkeypatch.setattr(command, "connect", nullcontext)
    monkeypatch.setattr(capacity, "warnings", lambda _: ["too low"])
    assert command.main(["migrate"]) == 0
    assert capsys.readouterr() == (f"{said}\ntenant: 3 rows\n", "warning: too low\n")
