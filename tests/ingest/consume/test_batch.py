from collections.abc import Callable
from dataclasses import dataclass

from ingest.consume.batch import Batch, KafkaMessage, Partition, build
from ingest.kinds import MINUTE_US, Record
from ingest.validate import Known
from ingest.wire.codec import encode
from ingest.wire.registry import FILES

KINDS = {"trades": "trade"}
NOW_US = 1_800_000_000_000_000


@dataclass(frozen=True)
class Sent:
    """A message as Kafka would hand it out."""

    at: tuple[str, int, int]
    payload: bytes | None

    def topic(self) -> str:
        return self.at[0]

    def partition(self) -> int:
        return self.at[1]

    def offset(self) -> int:
        return self.at[2]

    def key(self) -> bytes:
        return b"1:SYN_ES"

    def value(self) -> bytes | None:
        return self.payload

    def headers(self) -> None:
        return None


def sorted_out(messages: list[KafkaMessage], positions: dict[Partition, int]) -> Batch:
    known = Known(frozenset({1}), frozenset({"SYN_ES"}))
    return build(messages, KINDS, positions, lambda *_: known, NOW_US, 0, FILES)


def test_ranges_start_at_the_position_and_skip_holes(trade: Callable[..., Record]) -> None:
    payload = encode("trade", trade())
    positions = {("trades", 0): 3, ("trades", 1): 0}
    sent: list[KafkaMessage] = [
        Sent(("trades", 0, 5), payload),
        Sent(("trades", 1, 0), payload),
        Sent(("trades", 0, 9), payload),
    ]
    batch = sorted_out(sent, positions)
    assert batch.ranges == {("trades", 0): (3, 10), ("trades", 1): (0, 1)}
    assert positions == {("trades", 0): 10, ("trades", 1): 1}
    assert batch.rows["trade"]["ordinal"].to_list() == [0, 1, 2]


def test_what_a_rebalance_repeats_or_took_away_is_left_out(
    trade: Callable[..., Record],
) -> None:
    payload = encode("trade", trade())
    sent: list[KafkaMessage] = [
        Sent(("trades", 0, 6), payload),
        Sent(("trades", 0, 7), payload),
        Sent(("trades", 0, 7), payload),
        Sent(("trades", 1, 0), payload),
    ]
    batch = sorted_out(sent, {("trades", 0): 7})
    assert batch.ranges == {("trades", 0): (7, 8)}
    assert [message.offset() for message in batch.messages] == [7]


def test_bad_messages_keep_their_place(trade: Callable[..., Record]) -> None:
    sent: list[KafkaMessage] = [
        Sent(("trades", 0, 0), None),
        Sent(("trades", 0, 1), encode("trade", trade())),
        Sent(("trades", 0, 2), encode("trade", trade(size=0.0))),
    ]
    batch = sorted_out(sent, {("trades", 0): 0})
    assert {at: refusal.reason for at, refusal in batch.refusals.items()} == {
        0: "undecodable",
        2: "zero_size",
    }
    assert batch.rows["trade"]["ordinal"].to_list() == [1]
    assert batch.ranges == {("trades", 0): (0, 3)}
    assert batch.letter(2, batch.refusals[2]).payload == sent[2].value()


def test_a_bar_is_known_at_its_end_at_the_earliest(bar: Callable[..., Record]) -> None:
    """Also where the clock of the ingester is behind the bar's, as far as the tolerance."""
    start = NOW_US - NOW_US % MINUTE_US - MINUTE_US
    end = start + MINUTE_US
    actions = ["new", "correction", "cancel"]
    ticks = [bar(ts=start, known_at=None, action=action) for action in actions]
    ticks.append(bar(ts=start, known_at=end + 1))
    sent = [Sent(("bars", 0, at), encode("bar", one)) for at, one in enumerate(ticks)]
    known = Known(frozenset({1}), frozenset({"SYN_ES"}))
    for behind_us in (0, 4):
        positions: dict[Partition, int] = {("bars", 0): 0}
        now_us = end - behind_us
        batch = build(sent, {"bars": "bar"}, positions, lambda *_: known, now_us, 5, FILES)
        assert not batch.refusals
        stored = batch.rows["bar"]["known_at"].dt.epoch("us").to_list()
        assert stored == [end, end, end, end + 1]
    early = build(sent, {"bars": "bar"}, {("bars", 0): 0}, lambda *_: known, end - 6, 5, FILES)
    assert {refusal.reason for refusal in early.refusals.values()} == {"time_in_future"}
    assert len(early.refusals) == len(ticks)
