"""The model repository: what aliases name, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from serving import layout
from serving.errors import ServingError
from serving.repository import KEPT, Wanted, bring, once, prune
from tests.serving.world import MODEL, Models, Routed


@pytest.fixture
def one(world: Routed, models: Models) -> Wanted:
    """The first version."""
    assert world.answering() == 1
    return Wanted(MODEL, 1, "a run", models.made[1])


def fetch(models: Models) -> Callable[[str, int], Path]:
    return lambda _, version: models.bundle(version)


def test_a_version_is_written_once(models: Models, one: Wanted, tmp_path: Path) -> None:
    assert bring(tmp_path, one, fetch(models))
    assert not bring(tmp_path, one, lambda *_: pytest.fail("it is there"))
    place = tmp_path / f"{MODEL}.1"
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert 'name: "direction_5m.1"' in (place / "config.pbtxt").read_text()
    found = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert found == {
        *("config.pbtxt", "1/model.py", "1/training/__init__.py", "1/training/bundle.py"),
        *("1/bundle/model.json", "1/bundle/model.txt"),
    }
    for name, source in layout.COPIED.items():
        assert (place / "1" / name).read_bytes() == source.read_bytes()


@pytest.mark.parametrize("left", ["config.pbtxt", "1/bundle/model.json", "1/bundle/model.txt"])
def test_what_is_half_written_is_written_anew(
    models: Models, one: Wanted, tmp_path: Path, left: str
) -> None:
    bring(tmp_path, one, fetch(models))
    file = tmp_path / f"{MODEL}.1" / left
    if left == "config.pbtxt":
        file.unlink()
        layout.write(tmp_path, MODEL, 1, models.bundle(1))
    else:
        file.write_bytes(file.read_bytes()[:-1])
        assert bring(tmp_path, one, fetch(models))
    assert layout.wrong(layout.bundle_folder(tmp_path, MODEL, 1), one.card) is None
    assert (tmp_path / f"{MODEL}.1" / "config.pbtxt").exists()


def test_a_process_that_was_killed_while_it_wrote_leaves_nothing_that_loads(
    models: Models, one: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(_: Path) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(layout, "_synced", killed)
        with pytest.raises(Killed):
            bring(tmp_path, one, fetch(models))
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    assert bring(tmp_path, one, fetch(models))


def test_what_is_not_as_registered_is_refused(models: Models, one: Wanted, tmp_path: Path) -> None:
    with pytest.raises(ServingError, match=r"not what was registered.*restore the artifacts"):
        bring(tmp_path, one, lambda *_: models.bundle(2))
    damaged = tmp_path / "damaged"
    shutil.copytree(models.bundle(1), damaged)
    (damaged / "model.txt").write_text("half")
    with pytest.raises(ServingError, match="has the SHA-256"):
        bring(tmp_path, one, lambda *_: damaged)
    assert not (tmp_path / f"{MODEL}.1").exists()
    with pytest.raises(ValueError, match="no whole bundle"):
        layout.write(tmp_path, MODEL, 1, damaged)


def test_mlflow_away_is_said_and_what_is_there_stays(world: Routed, tmp_path: Path) -> None:
    url = world.served.database
    models = world.models

    def away(_: str, version: int) -> Path:
        raise ConnectionError(f"refused, of {version}")

    (problem,) = once(url, [MODEL], tmp_path, away)
    assert problem.startswith(f"MLflow does not give version 1 of {MODEL} (refused, of 1)")
    assert once(url, [MODEL], tmp_path, fetch(models)) == []
    assert once(url, [MODEL], tmp_path, away) == []
    assert once(url, ["nobodys"], tmp_path, away) == [
        "no version of nobodys has an alias: make train MODEL=nobodys, then make promote"
    ]


def test_the_oldest_that_nobody_names_are_removed(tmp_path: Path) -> None:
    for version in range(1, KEPT + 4):
        (tmp_path / f"m.{version}").mkdir()
    (tmp_path / "m.other").mkdir()
    prune(tmp_path, "m", {2})
    left = {int(p.suffix[1:]) for p in tmp_path.iterdir() if p.suffix[1:].isdecimal()}
    assert left == {2, *range(4, KEPT + 4)}
    assert (tmp_path / "m.other").exists()
