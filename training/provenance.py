"""What made a model, beside its data: the lock file of its environment, and the commit."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = ROOT / "training" / "requirements.lock"
RUNTIMES: Final = {"lightgbm": "lightgbm", "onnx": "onnxruntime"}


def lock_sha256(lock: Path = LOCK) -> str:
    """SHA-256 of the lock file."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def git_commit(root: Path = ROOT) -> str:
    """The commit of this checkout, with -dirty where files differ from it; unknown without git."""
    try:
        said = [
            subprocess.run(
                ["git", "-C", str(root), *arguments],
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            ).stdout.strip()
            for arguments in (
                ["rev-parse", "HEAD"],
                ["status", "--porcelain", "--untracked-files=no"],
            )
        ]
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return said[0] + ("-dirty" if said[1] else "")


def requirements(kind: str, lock: Path = LOCK) -> list[str]:
    """What a model of this kind needs to score rows, pinned as the lock file has it."""
    wanted = ("mlflow", "numpy", "pandas", RUNTIMES[kind])
    lines = (line.partition(" ")[0] for line in lock.read_text().splitlines())
    return [line for line in lines if line.partition("==")[0] in wanted]
