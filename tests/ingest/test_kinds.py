"""One more kind of tick is one entry and one schema: no other module is touched for it."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.errors import ConfigError
from ingest import kinds
from ingest.config import StreamConfig
from ingest.consume.batch import build
from ingest.deadletters.letters import mend
from ingest.kinds import KINDS, Kind, Reason, above_zero, finite
from ingest.replay.mapper import Unmappable, mapper
from ingest.replay.mapping import Mapping
from ingest.replay.sources import Source
from ingest.validate import Known, reasons, validate
from ingest.wire.codec import decode, encode
from ingest.wire.columns import Plan
from ingest.wire.registry import FILES
from tests.ingest.consume.test_batch import NOW_US, Sent

INGEST = Path(kinds.__file__).parent
KNOWN = Known(frozenset({1}), frozenset({"SYN_ES"}))
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
NO_RATIO = Reason("no_ratio", "send how many shares one becomes")
SPLIT = {
    **{"tenant_id": 1, "symbol": "SYN_ES", "ts": NOW_US, "seq": 0, "ratio": 2.0, "cash": None},
    **{"note": "2 for 1", "action": "new", "known_at": None},
}


@pytest.fixture
def fourth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kind:
    """A made-up kind, registered as one of ours for the length of a test."""
    fields: list[tuple[str, Any, dict[str, Any]]] = [
        ("tenant_id", "int", {}),
        ("symbol", "string", {}),
        ("ts", MICROS, {}),
        ("seq", "long", {}),
        ("ratio", "double", {}),
        ("cash", ["null", "double"], {"default": None}),
        ("note", ["null", "string"], {"default": None}),
        ("action", "string", {"default": "new"}),
        ("known_at", ["null", MICROS], {"default": None}),
    ]
    schema = {
        "type": "record",
        "name": "CorporateAction",
        "fields": [{"name": name, "type": kind, **more} for name, kind, more in fields],
    }
    shutil.copytree(kinds.SCHEMA_DIR, tmp_path, dirs_exist_ok=True)
    (tmp_path / "corporate_action.avsc").write_text(json.dumps(schema))
    monkeypatch.setattr(kinds, "SCHEMA_DIR", tmp_path)
    kind = Kind(
        "corporate_action",
        schema_id=4,
        topic="corporate_actions",
        prices=("cash",),
        rules=(*finite("ratio", "cash"), *above_zero(NO_RATIO, "ratio")),
    )
    monkeypatch.setitem(KINDS, kind.name, kind)
    return kind


def test_it_is_written_and_read(fourth: Kind) -> None:
    payload = encode(fourth.name, SPLIT)
    assert payload[:5] == b"\0\0\0\0\4"
    assert decode(fourth.name, payload) == SPLIT
    assert FILES.id_for(fourth.name, "any") == 4
    plan = Plan.of(fourth.name, FILES.writer(4))
    assert plan is not None, "many are read at once"
    found = plan.read([payload])
    assert found is not None
    assert found.to_dicts() == [SPLIT]


def test_a_batch_of_it_becomes_rows_and_refusals(fourth: Kind) -> None:
    ticks = [SPLIT, SPLIT | {"ratio": 0.0}, SPLIT | {"ratio": 0.0, "action": "cancel"}]
    sent = [Sent(("actions", 0, at), encode(fourth.name, one)) for at, one in enumerate(ticks)]
    positions = {("actions", 0): 0}
    batch = build(sent, {"actions": fourth.name}, positions, lambda *_: KNOWN, NOW_US, 0, FILES)
    rows = batch.rows[fourth.name]
    assert rows["ordinal"].to_list() == [0, 2]
    assert rows.columns == [
        *(
            "ordinal",
            "action",
            "own_clock",
            "tenant_id",
            "symbol",
            "ts",
            "seq",
            "ratio",
            "cash",
            "note",
        ),
        *("known_at", "source_topic", "source_partition", "source_offset"),
    ]
    assert rows["cash"].dtype == pl.Float64
    ((place, refusal),) = batch.refusals.items()
    assert (place, refusal.reason) == (1, "no_ratio")
    assert refusal.message.startswith("ratio=0.0 in corporate_action of 'SYN_ES', tenant 1, ts ")
    assert refusal.message.endswith("send how many shares one becomes")
    twice = batch.conflict(fourth.name, 2, SPLIT)
    assert twice.reason == "conflict"
    assert twice.message.startswith(
        "cancel with ratio=0.0, cash=null, note='2 for 1', but ratio=2.0, cash=null, "
        "note='2 for 1' is there in corporate_action of 'SYN_ES'"
    )


def test_it_has_reasons_and_tables_of_its_own(fourth: Kind) -> None:
    assert "no_ratio" in reasons()
    assert (fourth.table, fourth.superseded, fourth.events, fourth.incoming, fourth.apply) == (
        "market.corporate_action",
        "market.corporate_action_superseded",
        "market.corporate_action_event",
        "incoming_corporate_action",
        "market.apply_corporate_actions",
    )


def test_its_topic_is_a_setting(fourth: Kind) -> None:
    env = {"KAFKA_BOOTSTRAP": "k:9092"}
    assert StreamConfig.from_env(env).topics[fourth.name] == "corporate_actions"
    other = StreamConfig.from_env(env | {"CORPORATE_ACTION_TOPIC": "actions"})
    ours = {"trade": "trades", "quote": "quotes", "bar": "bars"}
    assert other.topics == ours | {fourth.name: "actions"}
    with pytest.raises(ConfigError, match="QUOTE_TOPIC and CORPORATE_ACTION_TOPIC are both 'quo"):
        StreamConfig.from_env(env | {"CORPORATE_ACTION_TOPIC": "quotes"})


def test_a_letter_of_it_is_mended(fourth: Kind) -> None:
    mended = mend(fourth.name, SPLIT | {"ratio": -1.0}, {"ratio": "4", "note": "null"})
    assert mended == SPLIT | {"ratio": 4.0, "note": None}
    assert validate(fourth.name, mended, KNOWN, NOW_US, 0) is None


def test_a_captured_file_of_it_is_mapped(fourth: Kind) -> None:
    columns: dict[str, Any] = {"symbol": "s", "ts": "t", "ratio": "r", "cash": "c", "note": "n"}
    mapping = Mapping(
        name="m", kind=fourth.name, format="csv", columns=columns, time_unit="us", price_scale=100
    )
    row = {"s": "SYN_ES", "t": NOW_US, "r": "2", "c": "150", "n": "2 for 1"}
    map_row = mapper(mapping, Source(Path("x.csv"), tuple(row), {}, lambda _: iter(())), 1)
    wanted = SPLIT | {"cash": 1.5, "known_at": NOW_US}
    record = map_row(row)
    assert record is not None
    assert record | {"seq": 0} == wanted
    with pytest.raises(Unmappable, match="ratio is empty"):
        map_row(row | {"r": ""})
    with pytest.raises(ValueError, match="lacks ratio"):
        Mapping(name="m", kind=fourth.name, format="csv", symbol="X", columns={"ts": "t"})


def test_the_names_of_the_reasons_stay() -> None:
    """They are in market.dead_letter, in topics and in people's queries."""
    assert set(reasons()) == {
        *("undecodable", "unknown_action", "unknown_tenant", "unknown_symbol", "time_too_early"),
        *("time_in_future", "negative_seq", "not_a_number", "negative_price", "zero_size"),
        *("no_side_quoted", "unknown_side", "conflict", "out_of_range", "beyond_retention"),
        *("not_a_bar", "not_a_minute", "not_alone", "known_before_end"),
    }


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_tables_are_there(kind: Kind, query: Callable[..., list[tuple[Any, ...]]]) -> None:
    found = query(
        "select to_regclass(%s) is not null, to_regclass(%s) is not null,"
        " to_regclass(%s) is not null, to_regprocedure(%s || '()') is not null",
        *(kind.table, kind.superseded, kind.events, kind.apply),
    )
    assert found == [(True, True, True, True)]


def test_nothing_else_names_kinds_one_by_one() -> None:
    """But for the synthetic day, which is one of trades and quotes."""
    allowed = {"kinds.py", "replay/synthetic.py"}
    named = {
        str(path.relative_to(INGEST))
        for path in INGEST.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in KINDS
    }
    assert named <= allowed
