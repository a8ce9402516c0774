from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import UndecodableError, UnencodableError
from ingest.kinds import KINDS
from ingest.wire.codec import decode, encode
from tests.ingest.strategies import RECORDS


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_is_encoded_is_decoded(kind: str, data: st.DataObject) -> None:
    record = data.draw(RECORDS[kind])
    assert decode(kind, encode(kind, record)) == record


@pytest.mark.parametrize("kind", KINDS)
@given(payload=st.binary(max_size=80), framed=st.booleans())
def test_foreign_bytes_are_a_record_or_undecodable(kind: str, payload: bytes, framed: bool) -> None:
    frame = encode(kind, _least(kind))[:5]
    try:
        record = decode(kind, frame + payload if framed else payload)
    except UndecodableError as error:
        assert str(error)  # noqa: PT017
    else:
        assert set(record) == {field["name"] for field in KINDS[kind].fields}


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_is_undecodable(kind: str) -> None:
    payload = encode(kind, _least(kind))
    for length in range(len(payload)):
        with pytest.raises(UndecodableError) as caught:
            decode(kind, payload[:length])
        # no address of memory: equal faults read alike
        assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_after_the_end_are_undecodable(kind: str) -> None:
    with pytest.raises(UndecodableError, match="1 bytes after the end"):
        decode(kind, encode(kind, _least(kind)) + b"x")


def test_a_quote_is_no_trade() -> None:
    with pytest.raises(UndecodableError, match="starts with 0000000002, not 0000000001"):
        decode("trade", encode("quote", _least("quote")))


def test_absent_fields_take_their_defaults() -> None:
    record = decode("trade", encode("trade", _least("trade")))
    assert (record["side"], record["action"], record["known_at"]) == (None, "new", None)


@pytest.mark.parametrize(
    "change", [{"price": None}, {"price": "dear"}, {"ts": 2**63}, {"symbol": 3}]
)
def test_a_record_that_does_not_fit_the_schema_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UnencodableError, match=r"see ingest/schemas/trade\.avsc"):
        encode("trade", _least("trade") | change)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_schema_is_documented(kind: str) -> None:
    assert all(field["doc"].endswith(".") for field in KINDS[kind].fields)


def _least(kind: str) -> dict[str, Any]:
    record = {"tenant_id": 1, "symbol": "ES", "ts": 1, "seq": 2}
    required = [name for name in KINDS[kind].values if name in KINDS[kind].required]
    return record | dict(zip(required, (3.0, 4.0, 2.0, 3.5), strict=False))
