"""A replay that Ctrl-C ends says how many rows of each file were sent, and these have arrived."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from ingest.config import Config
from tests.ingest.deadletters.letterbox import messages

ROOT = Path(__file__).resolve().parents[3]
MAPPING = """
kind = "trade"
format = "csv"
symbol = "SYN_ES"
time_unit = "s"

[columns]
ts = "t"
price = "p"
size = "s"
"""


def test_ctrl_c_says_how_many_of_each_file(config: Config, tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAPPING)
    # of b.csv nothing is due for hours
    for name, begins in (("a.csv", 1_700_049_600), ("b.csv", 1_700_099_600)):
        rows = "".join(f"{begins + second},4500.25,1\n" for second in range(600))
        (tmp_path / name).write_text("t,p,s\n" + rows)
    command = [*("replay", "a.csv", "b.csv", "--map", "map.toml"), "--speed", "20"]
    with subprocess.Popen(
        [sys.executable, "-m", "ingest", *command],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ENGINE": "given",
            "DATABASE_URL": config.database_url,
            "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
            "TRADE_TOPIC": config.topics["trade"],
            "QUOTE_TOPIC": config.topics["quote"],
            "TOPIC_PARTITIONS": str(config.partitions),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 60
        while not arrived(config):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    found = re.search(
        r"^(\d+) trades of a\.csv sent by then\n0 trades of b\.csv sent by ", said, re.M
    )
    assert found is not None, said
    assert 0 < int(found[1]) == arrived(config)
    assert said.endswith(
        "replay: interrupted; the same command sends what was not, and what was counts once\n"
    )


def arrived(config: Config) -> int:
    """How many trades are in the topic; 0 while there is none."""
    try:
        return len(messages(config, config.topics["trade"]))
    except Exception:
        return 0
