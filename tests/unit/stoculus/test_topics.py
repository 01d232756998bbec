import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoculus import topics
from stoculus.errors import InvalidRequest
from stoculus.instruments import Stock

IDS = st.from_regex(r"[a-z0-9_-]{1,64}", fullmatch=True).filter(lambda text: not text.endswith("quarantine"))
TICKERS = st.from_regex(r"[A-Z0-9][A-Z0-9.\-]{0,15}", fullmatch=True)
KAFKA_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@given(IDS)
def test_an_id_stays_as_it_is(text: str) -> None:
    assert topics.backtest_id(text) == text


def test_an_integer_is_an_id() -> None:
    assert topics.backtest_id(42) == "42"


@pytest.mark.parametrize(
    "text", ["", "A", "a.b", "a b", "a/b", "é", "a" * 65, "quarantine", "my-quarantine", "a\n", "..", "٣"]
)
def test_an_id_that_topics_could_not_carry_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        topics.backtest_id(text, field="tasks[0].backtest_id")

    assert caught.value.field == "tasks[0].backtest_id"


def test_a_topic_names_ticker_schema_and_backtest() -> None:
    assert topics.stock_historical(Stock("AAPL"), "ohlcv1m", "42") == "stock-aapl-ohlcv1m-historical-42"
    assert topics.stock_historical(Stock("BRK.B"), "quote", "q_1") == "stock-brk.b-quote-historical-q_1"


def test_the_quarantine_stands_beside_its_topic() -> None:
    assert topics.quarantine("stock-aapl-trade-historical-1") == "stock-aapl-trade-historical-1.quarantine"


@given(TICKERS, st.sampled_from(["ohlcv1m", "quote", "tradequote", "eod"]), IDS)
def test_topics_and_their_quarantines_are_names_that_kafka_takes(ticker: str, schema: str, backtest: str) -> None:
    topic = topics.stock_historical(Stock(ticker), schema, backtest)

    assert KAFKA_NAME.fullmatch(topic)
    assert KAFKA_NAME.fullmatch(topics.quarantine(topic))
