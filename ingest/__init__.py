"""Ticks on Kafka: replay of captures, the consumer into TimescaleDB, dead letters."""

import sys
from importlib.util import find_spec

# what the documents call `python` is not the machine's own
if find_spec("psycopg") is None:
    sys.exit(
        f"{sys.executable} has none of this project's packages: make install puts them into "
        ".venv, whose .venv/bin/python has them"
    )
