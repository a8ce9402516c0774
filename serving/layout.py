"""Where the model repository is, and what a version of a model is in it.

    <repository>/<model>.<version>/config.pbtxt
    <repository>/<model>.<version>/<version>/model.py, training/bundle.py, bundle/

Each version is a model of Triton's own, with one version folder that has the registry's number: one
that does not load, or is loaded beside it, leaves the others as they are. (Of versions in one
folder, Triton loads all anew when one is added, and none when one is broken.)
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.settings import Env, text
from training.bundle import CARD, FILES

ROOT: Final = Path(__file__).resolve().parents[1]
REPOSITORY: Final = ROOT / ".state" / "models"
MAX_ROWS: Final = 1_000
# Files of the version folder, and where they are copied from.
COPIED: Final = {
    "model.py": ROOT / "serving" / "backend" / "model.py",
    "training/__init__.py": ROOT / "training" / "__init__.py",
    "training/bundle.py": ROOT / "training" / "bundle.py",
}
CONFIG: Final = """\
name: "{name}"
backend: "python"
max_batch_size: {rows}
input [ {{ name: "features" data_type: TYPE_FP64 dims: [ {columns} ] }} ]
output [ {{ name: "score" data_type: TYPE_FP64 dims: [ 1 ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
version_policy: {{ specific: {{ versions: [ {version} ] }} }}
dynamic_batching {{ }}
"""


def repository(env: Env) -> Path:
    """SERVING_REPOSITORY, else .state/models."""
    return Path(text(env, "SERVING_REPOSITORY", str(REPOSITORY))).resolve()


def triton_name(model: str, version: int) -> str:
    """What Triton calls a version of a model."""
    return f"{model}.{version}"


def bundle_folder(repository: Path, model: str, version: int) -> Path:
    """Where the bundle of a version is, or would be."""
    return repository / triton_name(model, version) / str(version) / "bundle"


def wrong(bundle: Path, card: Mapping[str, Any] | None = None) -> str | None:
    """Why a folder is no whole bundle, or not that of a card; None: nothing is wrong with it."""
    try:
        found = json.loads((bundle / CARD).read_text())
        file = bundle / FILES[found["kind"]]
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest != found["sha256"]:
            return f"{file.name} has the SHA-256 {digest}, not {found['sha256']} as its card says"
        if card is not None and found["sha256"] != card["sha256"]:
            return (
                f"its model has the SHA-256 {found['sha256']}, and was registered with "
                f"{card['sha256']}"
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def write(repository: Path, model: str, version: int, bundle: Path) -> Path:
    """Put a bundle into the repository; the folder appears whole, or not at all.

    What is whole there already stays. Errors: ValueError for a bundle that is not whole.
    """
    if (problem := wrong(bundle)) is not None:
        raise ValueError(f"{bundle} is no whole bundle: {problem}")
    name = triton_name(model, version)
    place = repository / name
    if (
        wrong(bundle_folder(repository, model, version)) is None
        and (place / "config.pbtxt").exists()
    ):
        return place
    card = json.loads((bundle / CARD).read_text())
    # not in the way of Triton, which loads what it is told by name, and never a name like this
    making = repository / f".{name}.{os.getpid()}"
    shutil.rmtree(making, ignore_errors=True)
    for to, source in COPIED.items():
        target = making / str(version) / to
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    shutil.copytree(bundle, making / str(version) / "bundle")
    (making / "config.pbtxt").write_text(
        CONFIG.format(name=name, rows=MAX_ROWS, columns=len(card["columns"]), version=version)
    )
    _synced(making)
    if place.exists():
        # half-written by somebody else: nothing can have been loaded from it
        damaged = repository / f".{name}.damaged.{os.getpid()}"
        place.rename(damaged)
        shutil.rmtree(damaged)
    making.rename(place)
    return place


def _synced(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
