import re
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stoculus.calendar import NEW_YORK, to_utc
from stoculus.errors import VendorAnswerMalformed
from stoculus.instruments import OptionContract, Stock
from tests.unit.theta_client.stream.conftest import INDEX_TRADE, OHLC, OPTION_TRADE, QUOTE, STOCK_QUOTE, STOCK_TRADE
from tests.unit.theta_client.stream.test_subscription import json_values
from theta_client.stream.buffer import Frames
from theta_client.stream.parse import HAS_EXTENSION, Parsed, Parser
from theta_client.stream.subscription import Index, instrument_of

SPXW = OptionContract("SPXW", date(2024, 3, 15), 4_800_000, "call")
QQQ = OptionContract("QQQ", date(2023, 11, 10), 360_000, "put")


def parse(*frames: bytes, parser: Parser | None = None) -> Parsed:
    """By the extension; it must give what the library gives, but for the order in which instruments are numbered."""
    batch = Frames(1, list(range(1000, 1000 + len(frames))), list(frames))
    if parser:
        return parser.parse(batch)
    plain, parser = Parser(use_extension=False), Parser()
    parsed = parser.parse(batch)
    assert told(parsed, parser) == told(plain.parse(batch), plain)
    return parsed


def told(parsed: Parsed, parser: Parser) -> list[Any]:
    tables = [parsed.quotes.batch(), parsed.trades.batch(), parsed.market_values.batch()]
    for table in tables:
        table.validate(full=True)
    numbers: list[Any] = [table["instrument"].to_pylist() for table in tables]
    instruments = [[parser.instruments[number] for number in each] for each in numbers]
    values = [[repr(row) for row in table.drop_columns("instrument").to_pylist()] for table in tables]
    return [instruments, values, [table.schema for table in tables], parsed.skipped, parsed.malformed]


def test_the_extension_is_built_where_these_tests_run() -> None:
    """Without a compiler it may be missing; then the library does all, and this says so."""
    if not HAS_EXTENSION:
        pytest.skip("NOT TESTED: the extension that cuts frames; it was not built")


def edited(frame: bytes, body: str, **changes: object) -> bytes:
    message = orjson.loads(frame)
    message[body] |= changes
    return orjson.dumps(message)


def at(day: date, ms_of_day: int) -> datetime:
    return to_utc(day, (datetime.combine(day, time()) + timedelta(milliseconds=ms_of_day)).time())


def test_the_documented_messages_become_columns() -> None:
    parser = Parser()
    parsed = parse(QUOTE, STOCK_QUOTE, OHLC, OPTION_TRADE, STOCK_TRADE, INDEX_TRADE, parser=parser)
    assert parser.instruments == [SPXW, Stock("AAPL"), QQQ, Index("SPX")]
    assert parsed.quotes.batch().to_pylist() == [
        {
            "frame": 0, "received_us": 1000, "instrument": 0, "ts_event": at(date(2023, 12, 19), 26622025),
            "bid_size": 7, "bid_exchange": 5, "bid": 110.2, "bid_condition": 50,
            "ask_size": 7, "ask_exchange": 5, "ask": 110.5, "ask_condition": 50,
        },
        {
            "frame": 1, "received_us": 1001, "instrument": 1, "ts_event": at(date(2024, 5, 3), 38437457),
            "bid_size": 235, "bid_exchange": 29, "bid": 184.49, "bid_condition": 0,
            "ask_size": 100, "ask_exchange": 29, "ask": 184.5, "ask_condition": 0,
        },
    ]  # fmt: skip
    trades = parsed.trades.batch().to_pylist()
    assert trades[0] == {
        "frame": 3, "received_us": 1003, "instrument": 2, "ts_event": at(date(2023, 11, 3), 49531278),
        "sequence": -563040482, "condition": 18, "size": 5, "exchange": 65, "price": 1.06,
    }  # fmt: skip
    assert [(row["instrument"], row["price"]) for row in trades] == [(2, 1.06), (1, 184.5099), (3, 5333.39)]
    assert parsed.skipped == {"OHLC": 1}
    assert parsed.malformed == []


def test_a_market_value_of_an_index_has_only_the_price() -> None:
    header = {"type": "MARKET_VALUE", "status": "CONNECTED"}
    body = {"date": 20260915, "ms_of_day": 34787596, "market_price": 6500.25}
    contract = {"security_type": "INDEX", "root": "SPX"}
    frame = orjson.dumps({"header": header, "contract": contract, "market_value": body})
    [row] = parse(frame).market_values.batch().to_pylist()
    assert (row["market_bid"], row["market_ask"], row["market_price"]) == (None, None, 6500.25)


def test_an_instrument_keeps_its_number_whatever_the_order_of_keys() -> None:
    parser = Parser()
    turned = orjson.loads(QUOTE)
    turned["contract"] = dict(reversed(turned["contract"].items())) | {"new_key": 1}
    parsed = parse(QUOTE, STOCK_TRADE, orjson.dumps(turned), parser=parser)
    assert parsed.quotes.batch()["instrument"].to_pylist() == [0, 0]
    assert parse(STOCK_QUOTE, parser=parser).quotes.batch()["instrument"].to_pylist() == [1]
    assert parser.instruments == [SPXW, Stock("AAPL")]


def test_unknown_types_and_extra_keys_are_no_fault() -> None:
    news = b'{"header":{"type":"NEWS","status":"CONNECTED"},"contract":{"security_type":"STOCK","root":"A"}}'
    parsed = parse(news, edited(STOCK_TRADE, "trade", condition_flags=3), news)
    assert parsed.skipped == {"NEWS": 2}
    assert len(parsed.trades) == 1
    assert parsed.malformed == []


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"no json", b"\xff\xfe", b"[]", b"7", b"null", b"{}", b'{"header":{}}', b'{"header":{"type":{}}}',
        STOCK_TRADE[:-1],
        STOCK_TRADE + b"}",
        edited(STOCK_TRADE, "contract", root=["A"]),
        edited(STOCK_TRADE, "contract", root=""),
        edited(STOCK_TRADE, "contract", security_type="BOND"),
        edited(QUOTE, "contract", expiration=20241399),
        edited(QUOTE, "contract", strike="4800000"),
        edited(STOCK_TRADE, "trade", price="1"),
        edited(STOCK_TRADE, "trade", price=None),
        edited(STOCK_TRADE, "trade", size=1.5),
        edited(STOCK_TRADE, "trade", size=[5]),
        edited(STOCK_TRADE, "trade", size=2**63),
        edited(STOCK_TRADE, "trade", exchange=2**40),
        edited(STOCK_TRADE, "trade", ms_of_day=86_400_000),
        edited(STOCK_TRADE, "trade", ms_of_day=-1),
        edited(STOCK_TRADE, "trade", date=20240230),
        edited(STOCK_TRADE, "trade", date=0),
        edited(STOCK_TRADE, "trade", date=None),
        STOCK_TRADE.replace(b'"size"', b'"sizes"'),
        b'{"header":{"type":"TRADE"},"contract":{"security_type":"STOCK","root":"A"}}',
    ],
)  # fmt: skip
def test_a_malformed_frame_is_set_apart_and_harms_no_other(bad: bytes) -> None:
    parsed = parse(STOCK_TRADE, bad, INDEX_TRADE)
    assert [(one.frame, one.bytes) for one in parsed.malformed] == [(1, bad)]
    assert parsed.malformed[0].reason
    assert parsed.trades.batch()["frame"].to_pylist() == [0, 2]
    assert len(parse(bad).malformed) == 1


@settings(deadline=None)
@given(st.lists(st.binary() | json_values.map(orjson.dumps) | st.sampled_from([QUOTE, OHLC, STOCK_TRADE]), max_size=8))
def test_each_frame_is_counted_once(frames: list[bytes]) -> None:
    parsed = parse(*frames)
    rows = len(parsed.quotes) + len(parsed.trades) + len(parsed.market_values)
    assert rows + sum(parsed.skipped.values()) + len(parsed.malformed) == len(frames)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.integers(-(2**31), 2**31 - 1),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_columns_hold_what_the_frames_say_however_many_there_are(values: list[tuple[int, int, float]]) -> None:
    bodies = [{"bid_size": size, "ask_exchange": exchange, "ask": price} for size, exchange, price in values]
    frames = [edited(QUOTE, "quote", **body) for body in bodies]
    parsed = parse(*(frame for each in frames for frame in (STOCK_TRADE, each, OHLC)))
    parsed.quotes.batch().validate(full=True)
    assert parsed.quotes.batch().select(["bid_size", "ask_exchange", "ask"]).to_pylist() == bodies
    assert parsed.quotes.batch()["frame"].to_pylist() == list(range(1, 3 * len(values), 3))
    assert parsed.quotes.batch()["received_us"].to_pylist() == list(range(1001, 1000 + 3 * len(values), 3))
    assert len(parsed.trades) == parsed.skipped["OHLC"] == len(values)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.none() | st.floats(0, 1e6)] * 3), min_size=1, max_size=9))
def test_market_values_are_null_where_there_are_none(values: list[tuple[float | None, ...]]) -> None:
    names = ("market_bid", "market_ask", "market_price")
    message = orjson.loads(INDEX_TRADE) | {"header": {"type": "MARKET_VALUE"}}
    bodies = [dict(zip(names, row, strict=True)) for row in values]
    parsed = parse(*(orjson.dumps(message | {"market_value": message["trade"] | body}) for body in bodies))
    parsed.market_values.batch().validate(full=True)
    assert parsed.market_values.batch().select(names).to_pylist() == bodies


@pytest.mark.parametrize("frame", [b"[" * 100_000, b'{"header":{"type":"TRADE"},"x":' + b"[" * 100_000])
def test_a_frame_without_end_is_set_apart(frame: bytes) -> None:
    assert [one.frame for one in parse(QUOTE, frame).malformed] == [1]


def test_what_an_unknown_message_holds_does_not_matter() -> None:
    news = b'{"header":{"type":"NEWS"},"contract":[7],"quote":"none"}'
    assert parse(QUOTE, news, QUOTE[:-1]).skipped == {"NEWS": 1}


@settings(deadline=None)
@given(st.sampled_from(["contract", "trade"]), st.sampled_from(["root", "date", "size", "price"]), json_values)
def test_any_value_gives_a_row_or_is_set_apart(body: str, key: str, value: object) -> None:
    parsed = parse(STOCK_TRADE, edited(STOCK_TRADE, body, **{key: value}), STOCK_TRADE)
    assert len(parsed.trades) + len(parsed.malformed) == 3
    assert {0, 2} <= set(parsed.trades.batch()["frame"].to_pylist())


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.dates(date(1990, 1, 1), date(2035, 1, 1)), st.integers(0, 86_399_999)), min_size=1, max_size=6
    )
)
@example([(date(2024, 3, 10), 9_000_000), (date(2024, 3, 10), 3_600_000), (date(2024, 11, 3), 5_400_000)])
@example([(date(2024, 11, 3), 0), (date(2024, 11, 3), 86_399_999), (date(2024, 11, 4), 0)])
def test_new_york_wall_time_becomes_utc(moments: list[tuple[date, int]]) -> None:
    frames = [
        edited(STOCK_TRADE, "trade", date=int(day.strftime("%Y%m%d")), ms_of_day=ms_of_day)
        for day, ms_of_day in moments
    ]
    expected = [
        (datetime.combine(day, time()) + timedelta(milliseconds=ms)).replace(tzinfo=NEW_YORK).astimezone(UTC)
        for day, ms in moments
    ]
    assert parse(*frames).trades.batch()["ts_event"].to_pylist() == expected


class Contracts(dict[bytes, int]):
    def __missing__(self, text: bytes) -> int:
        instrument_of(orjson.loads(text))
        return 0


@pytest.mark.skipif(not HAS_EXTENSION, reason="the extension is not built")
@pytest.mark.parametrize("frame", [STOCK_QUOTE, OPTION_TRADE, OHLC])
def test_with_any_byte_changed_the_extension_reads_a_frame_as_the_library_does_or_leaves_it_alone(frame: bytes) -> None:
    from theta_client.stream._cut import cut

    contract = frame[frame.index(b'"contract":') + 11 : frame.index(b"}", 60) + 1]
    contracts, midnights = Contracts({contract: 0}), {20240503: 0, 20231103: 0, 20240521: 0}
    read = []
    for at in range(len(frame) + 1):
        for byte in (b"", b'"', b"}", b"{", b",", b":", b" ", b"0", b"1", b".", b"-", b"e", b"\\", b"\0", b"\xc3"):
            for changed in (frame[:at] + byte + frame[at:], frame[:at] + byte + frame[at + 1 :]):
                with suppress(KeyError, TypeError, ValueError, VendorAnswerMalformed):
                    if cut([changed], [0], contracts, midnights):
                        read.append(changed)
    assert len(read) > 100
    parsed = parse(*read)
    assert len(parsed.quotes) + len(parsed.trades) + parsed.skipped["OHLC"] == len(read)


@settings(deadline=None)
@given(
    st.sampled_from(["bid", "bid_size", "ask_exchange", "date", "ms_of_day"]),
    st.from_regex(r"-?[0-9]{1,19}(\.[0-9]{1,19})?(e[0-9])?", fullmatch=True),
)
def test_a_number_however_it_is_written_is_read_the_same_way_by_both(key: str, number: str) -> None:
    parse(re.sub(f'(?<="{key}":)[0-9.]+', number, STOCK_QUOTE.decode()).encode())


def test_frames_that_are_no_bytes_and_times_that_are_missing_harm_nothing() -> None:
    parser = Parser()
    frames: Any = [STOCK_TRADE, 7, None, bytearray(STOCK_TRADE)]
    assert [one.frame for one in parser.parse(Frames(1, [1, 2, 3, 4], frames)).malformed] == [1, 2]


def test_a_batch_without_events_gives_empty_tables_of_the_same_columns() -> None:
    parsed = parse()
    assert parsed.trades.batch().schema == parse(STOCK_TRADE).trades.batch().schema
    assert len(parsed.quotes) == len(parsed.trades) == len(parsed.market_values) == 0
    assert parsed.trades.batch().schema.field("ts_event").type == pa.timestamp("us", "UTC")


def test_a_crossed_and_a_zeroed_quote_pass_as_they_are() -> None:
    [crossed, zero] = (
        parse(edited(QUOTE, "quote", bid=2, ask=1.5), edited(QUOTE, "quote", bid=0, ask=0)).quotes.batch().to_pylist()
    )
    assert (crossed["bid"], crossed["ask"], zero["bid"], zero["ask"]) == (2.0, 1.5, 0.0, 0.0)
