from contextlib import suppress
from datetime import date
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus.errors import InvalidRequest, VendorAnswerMalformed
from stoculus.instruments import OptionContract, Stock
from theta_client.stream.subscription import EveryTrade, Index, Instrument, Kind, Subscription, instrument_of

SPXW = OptionContract("SPXW", date(2024, 3, 15), 4_800_000, "call")
CONTRACT = b'"contract":{"root":"SPXW","expiration":20240315,"strike":4800000,"right":"C"}}'

stocks = st.from_regex(r"[A-Z][A-Z0-9.]{0,5}", fullmatch=True).map(Stock)
options = st.builds(
    OptionContract,
    st.from_regex(r"[A-Z][A-Z0-9]{0,5}", fullmatch=True),
    st.dates(),
    st.integers(0, 99_999_999),
    st.sampled_from(["call", "put"]),
)
instruments: st.SearchStrategy[Instrument] = st.one_of(
    stocks, options, st.from_regex(r"[A-Z]{1,5}", fullmatch=True).map(Index)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("kind", "what", "request_id", "add", "message"),
    [
        ("trade", SPXW, 0, True, b'{"msg_type":"STREAM","sec_type":"OPTION","req_type":"TRADE","add":true,"id":0,'),
        ("quote", SPXW, 1, True, b'{"msg_type":"STREAM","sec_type":"OPTION","req_type":"QUOTE","add":true,"id":1,'),
        (
            "market_value",
            SPXW,
            7,
            True,
            b'{"msg_type":"STREAM","sec_type":"OPTION","req_type":"MARKET_VALUE","add":true,"id":7,',
        ),
        ("trade", SPXW, 8, False, b'{"msg_type":"STREAM","sec_type":"OPTION","req_type":"TRADE","add":false,"id":8,'),
    ],
)
def test_option_requests_are_spelled_as_documented(
    kind: Kind, what: OptionContract, request_id: int, add: bool, message: bytes
) -> None:
    assert Subscription(kind, what).request(request_id, add=add) == message + CONTRACT


@pytest.mark.parametrize(
    ("subscription", "request_id", "message"),
    [
        (
            Subscription("trade", Stock("AAPL")),
            2,
            b'{"msg_type":"STREAM","sec_type":"STOCK","req_type":"TRADE","add":true,"id":2,"contract":{"root":"AAPL"}}',
        ),
        (
            Subscription("quote", Stock("AAPL")),
            3,
            b'{"msg_type":"STREAM","sec_type":"STOCK","req_type":"QUOTE","add":true,"id":3,"contract":{"root":"AAPL"}}',
        ),
        (
            Subscription("trade", Index("SPX")),
            4,
            b'{"msg_type":"STREAM","sec_type":"INDEX","req_type":"TRADE","add":true,"id":4,"contract":{"root":"SPX"}}',
        ),
        (
            Subscription("trade", EveryTrade("option")),
            5,
            b'{"msg_type":"STREAM_BULK","sec_type":"OPTION","req_type":"TRADE","add":true,"id":5}',
        ),
        (
            Subscription("trade", EveryTrade("stock")),
            6,
            b'{"msg_type":"STREAM_BULK","sec_type":"STOCK","req_type":"TRADE","add":true,"id":6}',
        ),
    ],
)
def test_other_requests_are_spelled_as_documented(subscription: Subscription, request_id: int, message: bytes) -> None:
    assert subscription.request(request_id, add=True) == message


@pytest.mark.parametrize(
    ("kind", "what"), [("quote", EveryTrade("stock")), ("market_value", EveryTrade("option")), ("quote", Index("SPX"))]
)
def test_what_the_vendor_does_not_stream_cannot_be_subscribed(kind: Kind, what: Index | EveryTrade) -> None:
    with pytest.raises(InvalidRequest):
        Subscription(kind, what)


@given(instruments, st.integers(0))
def test_an_event_of_what_was_asked_leads_back_to_it(what: Instrument, request_id: int) -> None:
    message = Subscription("trade", what).request(min(request_id, 2**31 - 1), add=True)
    request = orjson.loads(message)
    event = {"security_type": request["sec_type"], **request["contract"]}
    assert instrument_of(event) == what


def test_an_option_and_an_index_that_share_a_root_are_two() -> None:
    assert instrument_of({"security_type": "INDEX", "root": "SPX"}) == Index("SPX")
    assert instrument_of({"root": "SPX", "security_type": "STOCK"}) == Stock("SPX")


def test_an_impossible_expiration_of_a_test_contract_is_read() -> None:
    contract = {"security_type": "OPTION", "root": "ZVZZT", "expiration": 18820101, "strike": 1000, "right": "P"}
    assert instrument_of(contract) == OptionContract("ZVZZT", date(1882, 1, 1), 1000, "put")


@given(st.dictionaries(st.sampled_from(["security_type", "root", "expiration", "strike", "right"]), json_values))
def test_any_other_contract_is_malformed(contract: dict[str, Any]) -> None:
    with pytest.raises(VendorAnswerMalformed):
        instrument_of(contract)


@given(json_values, json_values, json_values)
def test_an_option_with_odd_values_is_malformed_or_whole(expiration: Any, strike: Any, right: Any) -> None:
    contract = {"security_type": "OPTION", "root": "SPX", "expiration": expiration, "strike": strike, "right": right}
    with suppress(VendorAnswerMalformed):
        assert isinstance(instrument_of(contract), OptionContract)
