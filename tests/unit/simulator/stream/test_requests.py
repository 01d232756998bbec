"""Messages of clients."""

from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.stream.requests import Malformed, Request, Stop, Subject, read
from stoculus.instruments import OptionContract

CONTRACT = {"root": "SPXW", "expiration": 20240315, "strike": 4800000, "right": "C"}
SPXW = OptionContract("SPXW", date(2024, 3, 15), 4_800_000, "call")


def message(**changes: Any) -> dict[str, Any]:
    base = {"msg_type": "STREAM", "sec_type": "OPTION", "req_type": "TRADE", "add": True, "id": 3, "contract": CONTRACT}
    return base | changes


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        (orjson.dumps(message()), Request(Subject("OPTION", "TRADE", SPXW), True, 3)),
        (orjson.dumps(message(add=False)), Request(Subject("OPTION", "TRADE", SPXW), False, 3)),
        (
            orjson.dumps(message(sec_type="STOCK", req_type="QUOTE", contract={"root": "AAPL"})),
            Request(Subject("STOCK", "QUOTE", "AAPL"), True, 3),
        ),
        (orjson.dumps(message(msg_type="STREAM_BULK")), Request(Subject("OPTION", "TRADE", None), True, 3)),
        (b'{"msg_type":"STOP"}', Stop()),
        (
            str(message(contract=CONTRACT | {"strike": "4800000", "expiration": "20240315"})),
            Request(Subject("OPTION", "TRADE", SPXW), True, 3),
        ),
    ],
)
def test_the_vendor_s_messages_are_read(text: bytes | str, request_: Request | Stop) -> None:
    assert read(text, strict=False) == request_


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "nonsense()",
        orjson.dumps(message(msg_type="SUBSCRIBE")),
        orjson.dumps(message(sec_type="BOND")),
        orjson.dumps(message(req_type="OHLC")),
        orjson.dumps(message(add=1)),
        orjson.dumps(message(id=None)),
        orjson.dumps(message(contract=None)),
        orjson.dumps(message(contract={"root": ""})),
        orjson.dumps(message(contract=CONTRACT | {"right": "call"})),
        orjson.dumps(message(contract=CONTRACT | {"expiration": 20240230})),
        orjson.dumps(message(contract=CONTRACT | {"strike": 4800.5})),
    ],
)
def test_what_cannot_be_read_is_malformed(text: bytes | str) -> None:
    with pytest.raises(Malformed):
        read(text, strict=False)


def test_strict_takes_json_with_integers_alone() -> None:
    assert read(orjson.dumps(message()), strict=True)
    for text in (str(message()), orjson.dumps(message(id="3")).decode()):
        with pytest.raises(Malformed):
            read(text, strict=True)


@given(st.text() | st.binary())
def test_any_text_is_a_message_or_malformed(text: str | bytes) -> None:
    try:
        read(text, strict=False)
    except Malformed:
        return
