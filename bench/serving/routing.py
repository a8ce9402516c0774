"""The router as a process of the benchmark: python -m bench.serving.routing TRITON MODEL SPOOL NOW.

As `make serve-model` has it, but without a repository of MLflow's, and at the moment NOW (seconds
since 1970), at which the benchmark's market ends.
"""

import gc
import logging
import sys
from pathlib import Path

from engine.settings import ENVIRONMENT
from feast_repo.api.app import configured
from feast_repo.quiet import hide_experimental
from feast_repo.store import database_url, open_store
from serving.router.app import Router, Settings


def main(triton: str, model: str, spool: str, now: str) -> None:
    """Serve on a free port until SIGTERM."""
    logging.basicConfig(level=logging.WARNING)
    hide_experimental()
    store = open_store(ENVIRONMENT)
    settings = Settings(Path(spool), 1_000_000)
    at = float(now)
    router = Router(store, database_url(store), triton, [model], settings, clock=lambda: at)
    gc.collect()
    gc.freeze()
    configured(router, "127.0.0.1", 0).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
