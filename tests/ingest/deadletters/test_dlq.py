"""Looking at, mending and sending back dead letters of a real broker."""

from collections.abc import Callable
from typing import Any

import pytest

from ingest.config import Config
from ingest.consume.counts import Counts
from ingest.deadletters.letters import DeadLetterError, mend, noted
from ingest.wire.codec import decode, encode
from ingest.wire.producer import Headers, Sender, TickProducer
from ingest.wire.topics import dead_letter_topic
from tests.ingest.deadletters.letterbox import consume, refuse, sent_back

Make = Callable[..., dict[str, Any]]
Query = Callable[..., list[tuple[Any, ...]]]
Dlq = Callable[..., tuple[int, str, str]]


def test_list_has_a_line_for_each_letter_and_totals(
    config: Config, dlq: Dlq, trade: Make, quote: Make
) -> None:
    refuse(
        config,
        ("trade", trade(1, price=-1.0)),
        ("trade", trade(2, price=-2.0)),
        ("trade", trade(3)),
        ("quote", quote(1, bid=float("nan"))),
    )
    code, out, _ = dlq("list")
    rows = [line.split("\t") for line in out.splitlines() if line]
    letters = [row for row in rows if len(row) == 8]
    assert code == 0
    assert sorted((row[0], row[2], row[4].split(" in ")[0], *row[5:]) for row in letters) == [
        (f"{config.topics['quote']}.dlq@0", "not_a_number", "bid=nan", "1", "SYN_ES", ""),
        (f"{config.topics['trade']}.dlq@0", "negative_price", "price=-1.0", "1", "SYN_ES", ""),
        (f"{config.topics['trade']}.dlq@1", "negative_price", "price=-2.0", "1", "SYN_ES", ""),
    ]
    assert all(row[1].startswith(row[0].split(".dlq")[0] + "/") for row in letters)
    assert [config.topics["trade"], "negative_price", "1", "SYN_ES", "", "2", "0"] in rows
    assert [config.topics["quote"], "not_a_number", "1", "SYN_ES", "", "1", "0"] in rows
    assert rows[-1] == ["3 dead letters"]


def test_list_can_be_narrowed(config: Config, dlq: Dlq, trade: Make) -> None:
    refuse(config, ("trade", trade(1, price=-1.0)), ("trade", b"x"), ("trade", b"y"))
    assert dlq("list", "--reason", "undecodable")[1].endswith("2 dead letters\n")
    assert dlq("list", "--topic", config.topics["quote"])[1].endswith("0 dead letters\n")
    out = dlq("list", "--limit", 1)[1]
    assert f"{config.topics['trade']}.dlq@2" in out
    assert f"{config.topics['trade']}.dlq@1" not in out
    assert "these are 1 of 3" in out


def test_list_shows_the_newest_of_both_topics(config: Config, dlq: Dlq) -> None:
    refuse(config, ("quote", b"x"), ("quote", b"y"))
    refuse(config, ("trade", b"x"))
    out = dlq("list", "--limit", 2)[1]
    found = [f"{topic}.dlq@" in out for topic in (config.topics["trade"], config.topics["quote"])]
    assert found == [True, True]
    assert "these are 2 of 3" in out


def test_show_has_all_headers_the_bytes_and_the_record(
    config: Config, dlq: Dlq, trade: Make
) -> None:
    record = trade(7, price=-1.0)
    refuse(config, ("trade", record))
    sender = Sender(config.kafka_bootstrap)
    headers: Headers = [
        ("topic", config.topics["trade"]),
        ("schema_id", "12"),
        ("error", b"Oops\xff"),
    ]
    sender.produce(dead_letter_topic(config.topics["trade"]), None, b"\1\2", headers)
    sender.flush()
    code, out, _ = dlq("show", 0)
    assert code == 0
    assert "reason: negative_price" in out
    assert "key: b'1:SYN_ES'" in out
    assert encode("trade", record).hex(" ", 4) in out
    assert "record price: -1.0" in out
    assert f"record ts: {record['ts']}  (2023-11-15T12:00:07+00:00)" in out
    out = dlq("show", 1)[1]
    assert "schema_id: 12" in out
    assert "error: Oops\\xff" in out
    assert "key: None" in out
    assert "record: none, starts with 0102" in out


def test_show_cuts_a_long_message_unless_it_is_asked_for(config: Config, dlq: Dlq) -> None:
    refuse(config, ("trade", b"\xab" * 5000))
    short, long = (
        next(line for line in dlq("show", 0, *more)[1].splitlines() if set(line) == set("ab "))
        for more in ([], ["--all"])
    )
    assert (short.count("ab"), long.count("ab")) == (4096, 5000)
    assert "the first 4096; --all shows all" in dlq("show", 0)[1]


def test_a_tombstone_can_be_shown_and_sent_back(config: Config, dlq: Dlq) -> None:
    refuse(config)
    sender = Sender(config.kafka_bootstrap)
    sender.produce(config.topics["trade"], b"1:SYN_ES", None)
    sender.flush()
    assert consume(config).refused == {"undecodable": 1}
    assert "payload: none" in dlq("show", 0)[1]
    assert dlq("replay", "--yes", "--anyway")[0] == 0
    (back,) = sent_back(config, config.topics["trade"])
    assert (back.key(), back.value()) == (b"1:SYN_ES", None)


def test_an_offset_that_is_not_there_names_the_remedy(config: Config, dlq: Dlq) -> None:
    refuse(config, ("trade", b"x"), ("quote", b"x"))
    code, out, error = dlq("show", 9)
    assert (code, out) == (1, "")
    assert f"no dead letter has offset 9 in {config.topics['trade']}.dlq or" in error
    assert "ingest dlq list" in error
    assert "choose one with --topic" in dlq("show", 0)[2]
    assert dlq("show", 0, "--topic", config.topics["quote"])[0] == 0


def test_another_topic_is_refused(dlq: Dlq) -> None:
    code, _, error = dlq("list", "--topic", "bonds")
    assert code == 1
    assert "TRADE_TOPIC" in error


def test_replay_sends_the_same_bytes_and_key_once(config: Config, dlq: Dlq, trade: Make) -> None:
    refuse(config, ("trade", trade(1, symbol="NEW")), ("trade", b"noise"))
    code, out, _ = dlq("replay", "--anyway", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "2 sent back")
    back = sent_back(config, config.topics["trade"])
    assert sorted((m.key(), m.value()) for m in back) == sorted(
        [(b"1:NEW", encode("trade", trade(1, symbol="NEW"))), (b"raw", b"noise")]
    )
    assert {dict(m.headers() or [])["replayed_from"] for m in back} == {
        f"{config.topics['trade']}.dlq@0".encode(),
        f"{config.topics['trade']}.dlq@1".encode(),
    }
    assert dlq("replay", "--anyway", "--yes")[1].splitlines() == [
        "2 were sent back before: --again sends them once more",
        "nothing to send",
    ]
    assert len(sent_back(config, config.topics["trade"])) == 2
    assert (
        dlq("replay", "--anyway", "--yes", "--again", "--offset", 1)[1].splitlines()[-1]
        == "1 sent back"
    )
    assert len(sent_back(config, config.topics["trade"])) == 3


def test_a_letter_that_is_refused_again_is_a_new_letter(config: Config, dlq: Dlq) -> None:
    refuse(config, ("trade", b"noise"))
    for number in (1, 2):
        assert dlq("replay", "--anyway", "--yes")[1].endswith("1 sent back\n")
        assert consume(config).refused == {"undecodable": 1}
        assert len(sent_back(config, config.topics["trade"])) == number


def test_a_letter_that_a_crash_wrote_twice_is_sent_once(
    config: Config, dlq: Dlq, dead_letters: Callable[..., Any]
) -> None:
    refuse(config, ("trade", b"noise"))
    (letter,) = dead_letters(config.topics["trade"])
    sender = Sender(config.kafka_bootstrap)
    sender.produce(letter.topic(), letter.key(), letter.value(), letter.headers())
    sender.flush()
    assert dlq("replay", "--anyway", "--yes")[1].endswith("1 sent back\n")
    assert len(sent_back(config, config.topics["trade"])) == 1


def test_only_what_is_chosen_is_sent(config: Config, dlq: Dlq, trade: Make) -> None:
    refuse(config, *(("trade", trade(seq, price=-1.0)) for seq in range(3)))
    refuse(config, ("trade", b"x"))  # of another partition, maybe: which would come first?
    assert dlq("replay", "--anyway", "--yes", "--reason", "undecodable")[1].endswith(
        "1 sent back\n"
    )
    code, out, _ = dlq(
        "replay", "--anyway", "--yes", "--topic", config.topics["trade"], "--offset", 0, 2
    )
    assert (code, out.splitlines()[-1]) == (0, "2 sent back")
    values = {message.value() for message in sent_back(config, config.topics["trade"])}
    assert values == {b"x", *(encode("trade", trade(seq, price=-1.0)) for seq in (0, 2))}


def test_nothing_is_sent_without_a_yes(config: Config, dlq: Dlq) -> None:
    refuse(config, ("trade", b"noise"))
    assert dlq("replay", "--anyway", "--dry-run")[1].endswith("1 would be sent back\n")
    code, _, error = dlq("replay", "--anyway")
    assert code == 1
    assert "say --yes" in error
    assert dlq("replay", "--anyway", answer="n\n")[0] == 1
    assert sent_back(config, config.topics["trade"]) == []
    assert noted(config.kafka_bootstrap, config.topics["trade"]).sent_back == set()
    assert dlq("replay", "--anyway", answer="y\n")[0] == 0
    assert len(sent_back(config, config.topics["trade"])) == 1


def test_a_mended_trade_is_stored(config: Config, dlq: Dlq, trade: Make, query: Query) -> None:
    refuse(config, ("trade", trade(100, price=-1.0)), ("trade", trade(101, price=-2.0)))
    assert dlq("replay", "--yes", "--set", "price=9.5", "--set", "side=null")[0] == 0
    assert consume(config) == Counts(applied=2)
    assert query(
        "select seq, price, side from market.trade where source_topic = %s order by seq",
        config.topics["trade"],
    ) == [(100, 9.5, None), (101, 9.5, None)]


def test_a_mended_symbol_takes_the_key_of_its_instrument(
    config: Config, dlq: Dlq, trade: Make
) -> None:
    refuse(config, ("trade", trade(1, symbol="ES?")))
    assert dlq("replay", "--yes", "--set", "symbol=SYN_ES")[0] == 0
    (back,) = sent_back(config, config.topics["trade"])
    assert back.key() == b"1:SYN_ES"
    assert decode("trade", back.value()) == trade(1)


def test_what_would_be_refused_again_is_not_sent(config: Config, dlq: Dlq, trade: Make) -> None:
    refuse(config, ("trade", trade(1, price=-1.0)), ("trade", trade(2, price=-1.0, size=0.0)))
    code, _, error = dlq("replay", "--yes", "--set", "price=1")
    assert code == 1
    assert "would be refused again, zero_size" in error
    assert sent_back(config, config.topics["trade"]) == []


def test_noise_cannot_be_mended(config: Config, dlq: Dlq) -> None:
    refuse(config, ("trade", b"noise"))
    code, _, error = dlq("replay", "--yes", "--set", "price=1")
    assert code == 1
    assert "has no record to mend" in error
    assert "without --set" in error


def test_a_row_of_a_file_is_no_message_to_send_back(config: Config, dlq: Dlq) -> None:
    with TickProducer(config.kafka_bootstrap, config.topics) as producer:
        producer.reject("quote", b'{"bid": "x"}', "unmappable", "row 3 of a.csv")
    assert f"\t{config.topics['quote']}\tunmappable\t" in dlq("list")[1]
    code, out, _ = dlq("replay", "--yes")
    assert (code, out.splitlines()[-1]) == (0, "nothing to send")
    code, _, error = dlq("replay", "--yes", "--offset", 0)
    assert code == 1
    assert "correct the mapping" in error


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ({"price": "2.5"}, 2.5),
        ({"side": "sell"}, "sell"),
        ({"side": "null"}, None),
        ({"symbol": "null"}, "null"),
        ({"seq": "3"}, 3),
        ({"ts": "1700049600000000"}, 1_700_049_600_000_000),
        ({"ts": "2023-11-15T13:00:00.000001+01:00"}, 1_700_049_600_000_001),
        ({"known_at": "null"}, None),
    ],
)
def test_mended_values(trade: Make, change: dict[str, str], value: object) -> None:
    (name,) = change
    assert mend("trade", trade(9), change) == trade(9) | {name: value}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"bid": "1"}, "a trade has no field 'bid': it has tenant_id, symbol"),
        ({"price": "dear"}, "price='dear': say a double"),
        ({"price": "null"}, "price='null': say a double"),
        ({"seq": "1.5"}, "seq='1.5': say a long"),
        ({"seq": str(2**63)}, "seq='9223372036854775808': say a long"),
        ({"ts": "2023-11-15T13:00:00"}, "ISO 8601 with a zone"),
        ({"known_at": "soon"}, "with a zone or null"),
    ],
)
def test_values_that_do_not_fit(trade: Make, change: dict[str, str], text: str) -> None:
    with pytest.raises(DeadLetterError, match=text):
        mend("trade", trade(9), change)


def test_the_view_counts_letters_by_reason(config: Config, query: Query, trade: Make) -> None:
    refuse(config, ("trade", trade(1, price=-1.0)), ("trade", b"x"))
    refuse(config, ("trade", trade(2, price=-2.0)))
    rows = query(
        "select reason, dead_letters, last_message, first_at < last_at"
        " from market.dead_letter_count where topic = %s order by reason",
        config.topics["trade"],
    )
    assert [(row[0], row[1], row[2].split(" in ")[0], row[3]) for row in rows][:1] == [
        ("negative_price", 2, "price=-2.0", True)
    ]
    assert [row[:2] for row in rows][1:] == [("undecodable", 1)]


def test_a_missing_broker_is_named(dlq: Dlq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    code, _, error = dlq("list")
    assert code == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in error
