"""Letters whose cause still stands are not sent back to become new letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.deadletters import judge
from ingest.errors import RegistryUnavailableError, UnknownSchemaError
from ingest.wire.codec import encode
from tests.ingest.deadletters.letterbox import consume, refuse, sent_back

Make = Callable[..., dict[str, Any]]
Query = Callable[..., list[tuple[Any, ...]]]
Dlq = Callable[..., tuple[int, str, str]]
AWAY = "postgresql://nobody@127.0.0.1:1/none"


def test_only_what_would_count_now_is_sent(
    config: Config, dlq: Dlq, trade: Make, quote: Make, query: Query
) -> None:
    refuse(
        config,
        ("trade", trade(200, symbol="JUDGED")),
        ("trade", trade(201, symbol="NOBODY")),
        ("trade", trade(202, symbol="NOBODY")),
        ("trade", trade(203, symbol="JUDGED", price=-1.0)),
        ("quote", quote(200, symbol="JUDGED")),
        ("trade", b"noise"),
    )
    query(
        "insert into market.instrument select (jsonb_populate_record("
        "i, jsonb_build_object('symbol', 'JUDGED'))).* from market.instrument as i"
        " where symbol = 'SYN_ES' returning symbol"
    )
    code, out, _ = dlq("replay", "--yes")
    lines = out.splitlines()
    assert (code, lines[-1]) == (0, "2 sent back")
    assert lines[0] == "4 would be refused again and stay; --anyway sends them, too:"
    topic = config.topics["trade"]
    assert {line.split("\t")[0] for line in lines if "\t" in line} >= {"unknown_symbol"}
    assert "unknown_symbol\t1\tNOBODY\t\t2" in lines
    # by the reason that it would have now, not by the one that it had
    assert "negative_price\t1\tJUDGED\t\t1" in lines
    assert "  unknown_symbol: add it to seeds/instrument.csv and run make migrate" in lines
    assert "  undecodable: send Avro made with ingest/schemas" in lines
    assert [m.value() for m in sent_back(config, topic)] == [
        encode("trade", trade(200, symbol="JUDGED"))
    ]
    assert consume(config) == Counts(applied=2)
    assert dlq("replay", "--yes")[1].splitlines()[-1] == "nothing to send"
    assert dlq("replay", "--yes", "--anyway")[1].splitlines()[-1] == "4 sent back"
    assert consume(config).refused == {"unknown_symbol": 2, "negative_price": 1, "undecodable": 1}


def test_one_that_is_asked_for_by_number_is_sent_or_says_why_not(
    config: Config, dlq: Dlq, trade: Make
) -> None:
    config = Config(**{**vars(config), "partitions": 1})
    refuse(config, ("trade", trade(210, symbol="NOBODY")), ("trade", trade(211, price=-1.0)))
    code, _, error = dlq("replay", "--yes", "--offset", 0, 1)
    assert code == 1
    assert f"letter 0 of {config.topics['trade']}.dlq would be refused again, unknown_symb" in error
    assert "symbol='NOBODY'" in error
    assert "--anyway sends it as it is" in error
    assert sent_back(config, config.topics["trade"]) == []
    assert dlq("replay", "--yes", "--offset", 1, "--anyway")[1].endswith("1 sent back\n")
    assert len(sent_back(config, config.topics["trade"])) == 1


def test_without_a_database_nothing_is_sent_unless_anyway(
    config: Config, dlq: Dlq, trade: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(config, ("trade", trade(220, symbol="NOBODY")))
    monkeypatch.setenv("DATABASE_URL", AWAY)
    for more in ([], ["--set", "symbol=SYN_ES"]):
        code, out, error = dlq("replay", "--yes", *more)
        assert (code, out) == (1, "")
        assert error.startswith("nothing was sent: whether the letters would be refused again")
        assert "127.0.0.1:1/none" in error
    assert sent_back(config, config.topics["trade"]) == []
    assert dlq("replay", "--yes", "--anyway")[1].endswith("1 sent back\n")
    assert len(sent_back(config, config.topics["trade"])) == 1


def test_what_the_rules_cannot_tell_is_sent(config: Config, dlq: Dlq, trade: Make) -> None:
    assert refuse(config, ("trade", trade(230)), ("trade", trade(230, price=1.0))).refused == {
        "conflict": 1
    }
    assert dlq("replay", "--yes")[1].endswith("1 sent back\n")
    assert consume(config).refused == {"conflict": 1}


def test_a_mended_letter_may_be_sent_anyway(config: Config, dlq: Dlq, trade: Make) -> None:
    refuse(config, ("trade", trade(240, symbol="NOBODY", price=-1.0)))
    mend = ("replay", "--yes", "--set", "price=9.5")
    assert "would be refused again, unknown_symbol" in dlq(*mend)[2]
    assert dlq(*mend, "--anyway")[1].endswith("1 sent back\n")
    assert consume(config).refused == {"unknown_symbol": 1}


@pytest.mark.parametrize(
    ("error", "code", "end"),
    [
        (UnknownSchemaError(77), 0, "1 sent back\n"),
        (RegistryUnavailableError("no registry answers at x"), 1, ""),
    ],
)
def test_a_schema_of_a_registry(
    error: Exception,
    code: int,
    end: str,
    config: Config,
    dlq: Dlq,
    trade: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That the registry does not have it yet says nothing; where none answers, nothing is sent."""

    class Registry:
        def writer(self, schema_id: int) -> dict[str, Any]:
            assert schema_id == 77
            raise error

    refuse(config, ("trade", encode("trade", trade(250), 77)))
    monkeypatch.setattr(judge, "schemas", lambda _: Registry())
    found, out, said = dlq("replay", "--yes")
    assert (found, out.endswith(end)) == (code, True)
    assert ("no registry answers at x" in said) == (code == 1)
    assert len(sent_back(config, config.topics["trade"])) == (code == 0)
