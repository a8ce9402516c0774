"""Check the types of this folder's JavaScript modules: python -m embedded.typecheck."""

from __future__ import annotations

import subprocess
import sys

from embedded.errors import InstallError
from embedded.node import PACKAGE_DIR, ensure_engine

TSC = PACKAGE_DIR / "node_modules" / "typescript" / "bin" / "tsc"


def main() -> int:
    """Run the pinned compiler, which is installed on first use; returns its exit code."""
    try:
        node = ensure_engine(tools=True)
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    return subprocess.run([node, TSC, "--project", PACKAGE_DIR], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
