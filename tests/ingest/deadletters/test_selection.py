"""Dead letters by whose they are: listed, sent back and dropped by tenant, symbol, file, reason."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.replay import replay
from ingest.wire.codec import encode
from ingest.wire.producer import FILE, Headers, Sender, TickProducer
from ingest.wire.topics import dead_letter_topic
from tests.ingest.deadletters.letterbox import consume, refuse, sent_back

Make = Callable[..., dict[str, Any]]
Query = Callable[..., list[tuple[Any, ...]]]
Dlq = Callable[..., tuple[int, str, str]]
QUOTES = """
kind = "quote"
format = "csv"
symbol = "USDJPY"
time_unit = "us"

[columns]
ts = "t"
bid = "b"
ask = "a"
"""
ROOT = Path(__file__).resolve().parents[3]


def numbers(out: str) -> set[int]:
    """Offsets of the letters that a list shows."""
    cells = [line.split("\t") for line in out.splitlines()]
    return {int(row[0].split("@")[1]) for row in cells if len(row) == 8}


def test_one_wrong_file_stops_nobody(
    config: Config, dlq: Dlq, trade: Make, query: Query, tmp_path: Path, caplog: Any
) -> None:
    """A typing error, --tenant 99, and 1,200 quotes of nobody stand before everybody's ticks."""
    rows = "".join(f"{trade(n)['ts']},86.6,86.7\n" for n in range(1200))
    (tmp_path / "usdjpy.csv").write_text("t,b,a\n" + rows)
    (tmp_path / "map.toml").write_text(QUOTES)
    file = [str(tmp_path / "usdjpy.csv"), "--map", str(tmp_path / "map.toml")]
    assert replay.main([*file, "--tenant", "99"]) == 0
    assert replay.main(file) == 0
    with TickProducer(config.kafka_bootstrap, config.topics, config.partitions) as producer:
        producer.send("trade", trade(1))
    counts = consume(config)
    assert counts == Counts(applied=1201, refused=counts.refused)
    assert counts.refused == {"unknown_tenant": 1200}
    assert "1200 of tenant 99, symbol 'USDJPY', file usdjpy.csv" in str(counts)
    (said,) = [r.getMessage() for r in caplog.records if "unknown_tenant" in r.getMessage()]
    assert said.startswith("unknown_tenant: 1200 messages so far went to the dead letters, of")
    assert "tenant 99, symbol 'USDJPY', file usdjpy.csv" in said
    assert query(
        "select reason, tenant_id, symbol, file, dead_letters, open_letters"
        " from market.dead_letter_count where topic = %s",
        config.topics["quote"],
    ) == [("unknown_tenant", 99, "USDJPY", "usdjpy.csv", 1200, 1200)]
    lines = dlq("list", "--file", "usdjpy.csv", "--limit", 1)[1].splitlines()
    assert lines[-2] == "unknown_tenant\t99\tUSDJPY\tusdjpy.csv\t1200\t0"
    code, out, _ = dlq("drop", "--tenant", 99, answer="y\n")
    assert (code, out.splitlines()[-1]) == (0, "drop 1200, for good? [y/N] 1200 dropped")
    assert dlq("list")[1].splitlines()[-1] == "0 dead letters"
    assert dlq("replay", "--yes")[1] == "nothing to send\n"
    assert query(
        "select dead_letters, open_letters from market.dead_letter_count where topic = %s",
        config.topics["quote"],
    ) == [(1200, 0)]


def test_letters_are_chosen_by_whose_they_are(config: Config, dlq: Dlq, trade: Make) -> None:
    config = Config(**{**vars(config), "partitions": 1})
    refuse(
        config,
        ("trade", trade(0, symbol="NEW")),
        ("trade", trade(1, symbol="NEW", tenant_id=99)),
        ("trade", trade(2, symbol="OTHER")),
        ("trade", trade(3, price=-1.0)),
        ("trade", b"noise"),
    )
    topic = config.topics["trade"]
    for options, expected in {
        ("--symbol", "NEW"): {0, 1},
        ("--tenant", 99): {1},
        ("--tenant", 1, "--symbol", "NEW"): {0},
        ("--reason", "unknown_symbol"): {0, 2},
        ("--reason", "undecodable"): {4},
        ("--source", f"{topic}/0"): {0, 1, 2, 3, 4},
        ("--source", f"{topic}/1"): set(),
        ("--symbol", "NOBODY"): set(),
    }.items():
        assert numbers(dlq("list", *options)[1]) == expected
    assert dlq("replay", "--anyway", "--yes", "--symbol", "OTHER")[1].endswith("1 sent back\n")
    (back,) = sent_back(config, topic)
    assert back.value() == encode("trade", trade(2, symbol="OTHER"))
    out = dlq("list", "--symbol", "OTHER")[1]
    assert "unknown_symbol\t1\tOTHER\t\t1\t1" in out
    assert out.endswith("1 dead letters, 1 of them sent back\n")


def test_a_settled_letter_that_is_refused_again_is_open(
    config: Config, dlq: Dlq, query: Query, trade: Make
) -> None:
    refuse(config, ("trade", trade(0, symbol="NEW")))
    dlq("replay", "--anyway", "--yes")
    counted = "select dead_letters, open_letters from market.dead_letter_count where topic = %s"
    assert query(counted, config.topics["trade"]) == [(1, 0)]
    consume(config)
    assert query(counted, config.topics["trade"]) == [(2, 1)]


@pytest.mark.parametrize("command", ["list", "replay", "drop"])
def test_a_reason_that_is_none_is_an_error(
    config: Config, dlq: Dlq, trade: Make, command: str
) -> None:
    refuse(config, ("trade", trade(0, symbol="NEW")))
    code, _, error = dlq(command, "--reason", "nope")
    assert code == 1
    assert "no reason is called 'nope': choose one of beyond_retention, conflict" in error
    assert "unmappable" in error
    assert dlq(command, "--reason", "zero_size")[0] == 0, "one that no letter has is none"


def test_what_is_dropped_is_asked_for_first(config: Config, dlq: Dlq, trade: Make) -> None:
    refuse(config, ("trade", trade(0, symbol="NEW")), ("trade", trade(1, symbol="NEW")))
    code, _, error = dlq("drop")
    assert (code, "say which" in error) == (1, True)
    assert dlq("drop", "--symbol", "NEW", answer="n\n")[0] == 1
    assert "say --yes" in dlq("drop", "--symbol", "NEW")[2]
    assert dlq("drop", "--all", "--dry-run")[1].endswith("2 would be dropped\n")
    assert numbers(dlq("list")[1]) == {0, 1}
    assert dlq("drop", "--offset", 1, "--yes")[1].endswith("1 dropped\n")
    assert numbers(dlq("list")[1]) == {0}
    assert dlq("drop", "--all", "--yes")[1].endswith("1 dropped\n")
    assert dlq("drop", "--all", "--yes")[:2] == (0, "nothing to drop\n")


def test_rows_of_files_are_dropped_one_by_one(config: Config, dlq: Dlq) -> None:
    with TickProducer(config.kafka_bootstrap, config.topics) as producer:
        for _ in range(2):
            producer.reject("quote", b'{"bid": "x"}', "unmappable", "row", [(FILE, "a.csv")])
    assert dlq("drop", "--offset", 0, "--yes")[1].endswith("1 dropped\n")
    assert numbers(dlq("list", "--file", "a.csv")[1]) == {1}


def test_drop_without_a_database_says_what_is_not_known(
    config: Config, dlq: Dlq, trade: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(config, ("trade", trade(0, symbol="NEW")))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    code, out, error = dlq("drop", "--all", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "1 dropped")
    assert "market.dead_letter still counts them as open" in error
    assert numbers(dlq("list")[1]) == set()


def test_letters_of_an_earlier_release_name_their_culprit(
    config: Config, dlq: Dlq, trade: Make
) -> None:
    refuse(config)
    sender, topic = Sender(config.kafka_bootstrap), config.topics["trade"]
    old: Headers = [
        ("topic", topic),
        ("partition", "0"),
        ("offset", "7"),
        ("reason", "unknown_trade"),
    ]
    sender.produce(dead_letter_topic(topic), b"k", encode("trade", trade(0, symbol="NEW")), old)
    sender.flush()
    assert numbers(dlq("list", "--symbol", "NEW", "--reason", "unknown_trade")[1]) == {0}


def test_a_terminal_of_80_columns_shows_numbers_whole(config: Config, trade: Make) -> None:
    refuse(config, *(("trade", trade(n, symbol=f"A_LONG_SYMBOL_{n}" * 3)) for n in range(2)))
    shell, terminal = pty.openpty()
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP": config.kafka_bootstrap,
        "TRADE_TOPIC": config.topics["trade"],
        "QUOTE_TOPIC": config.topics["quote"],
        "DATABASE_URL": config.database_url,
        **{"COLUMNS": "80", "TERM": "xterm"},
    }
    command = [sys.executable, "-m", "ingest", "dlq", "list"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=terminal) as process:
        os.close(terminal)
        out = b""
        try:
            while more := os.read(shell, 65536):
                out += more
        except OSError:
            pass
        assert process.wait(30) == 0
    os.close(shell)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.decode()).splitlines()
    assert max(map(len, lines)) <= 80
    assert {line.split()[0] for line in lines if ".dlq@" in line} == {
        f"{config.topics['trade']}.dlq@{number}" for number in range(2)
    }
