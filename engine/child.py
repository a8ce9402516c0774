"""Run another program on this terminal; Ctrl-C is its to answer first."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

END_S = 15.0


def run(command: Sequence[str], env: Mapping[str, str], directory: Path) -> int:
    """Run it and return its exit code.

    A terminal sends Ctrl-C to both: the program ends in its own way, and then KeyboardInterrupt
    is raised here.
    """
    process = subprocess.Popen(command, env=env, cwd=directory)
    try:
        return process.wait()
    except BaseException:
        end(process)
        raise


def stream(
    command: Sequence[str], env: Mapping[str, str], directory: Path, *, show: bool
) -> tuple[int, str]:
    """Run it, print what it prints as it comes if show, and return exit code and output.

    Ctrl-C: as run().
    """
    with subprocess.Popen(
        command,
        env={**env, "PYTHONUNBUFFERED": "1"},
        cwd=directory,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        said = []
        try:
            for line in process.stdout or ():
                said.append(line)
                if show:
                    print(line, end="", flush=True)
            return process.wait(), "".join(said)
        except BaseException:
            rest = end(process)
            if show:
                print(rest, end="", file=sys.stderr)
            raise


def end(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> str:
    """Wait for one that was interrupted; after END_S it is killed. Returns what it still says."""
    try:
        said, _ = process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    return said if isinstance(said, str) else ""
