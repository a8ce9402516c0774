"""make help lists every target, and the docs name only targets that exist."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_help_lists_every_target() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert {line.split()[1] for line in listed.splitlines() if line} == TARGETS


def test_the_docs_name_only_real_targets() -> None:
    docs = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    named = {name for doc in docs for name in re.findall(r"`make ([a-z-]+)", doc.read_text())}
    assert named
    assert named <= TARGETS


def test_the_workflows_name_only_real_targets_and_pinned_actions() -> None:
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        text = path.read_text()
        assert set(re.findall(r"\bmake ([a-z-]+)", text)) <= TARGETS, path
        actions = re.findall(r"uses: (\S+)", text)
        assert actions, path
        assert all(re.fullmatch(r"[\w/-]+@v\d+", action) for action in actions), path


def test_lock_files_carry_no_addresses() -> None:
    folders = (".", "bench", "calendars", "serving", "training")
    pinned = [ROOT / folder / "requirements.lock" for folder in folders]
    for lock in (*pinned, ROOT / "embedded" / "package-lock.json"):
        assert "://" not in lock.read_text(), lock
    for lock in pinned:
        assert "--hash=sha256:" in lock.read_text(), lock
