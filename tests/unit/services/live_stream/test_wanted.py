"""The union of streams, and what becomes of it when the vendor is away."""

import threading
from datetime import date

import pytest

from services.live_stream.broker.acks import Described
from services.live_stream.wanted import Streams, Wish, wish_of
from stoculus.errors import Conflict, NoData, NotFound, VendorUnreachable
from stoculus.instruments import Stock
from stoculus.streams import OptionFeed, StockFeed, StreamSpec
from theta_client.stream.subscription import Subscription

DAY = date(2024, 1, 3)


def spec(stream_id: str, *tickers: str, schema: str = "trade", **changes: str) -> StreamSpec:
    feeds = [{"asset": "stock", "ticker": ticker, "schema": schema} for ticker in tickers]
    return StreamSpec.model_validate({"stream_id": stream_id, "feeds": feeds, **changes})


def enumerate_stock(feed: StockFeed | OptionFeed, _: date, __: threading.Event) -> list[Subscription]:
    return [Subscription("trade", Stock(feed.symbol))]


def wish(
    streams: Streams,
    enumerate_feed: object = enumerate_stock,
    before: Wish | None = None,
    forbidden: frozenset[str] = frozenset(),
) -> Wish:
    def describe(topics: list[str]) -> dict[str, Described]:
        return {topic: Described(0, None, may_be_written=topic not in forbidden) for topic in topics}

    wants = before.wants if before else {}
    return wish_of(
        streams,
        DAY,
        enumerate_feed,  # type: ignore[arg-type]
        describe,
        threading.Event(),
        wants,
    )


def test_streams_of_one_topic_want_it_once_with_the_widest_session() -> None:
    streams = Streams()
    streams.put(spec("one", "AAPL", session="regular"))
    streams.put(spec("two", "AAPL", "MSFT", session="extended"))
    wants = wish(streams).wants

    assert wants.keys() == {"stock-aapl-trade-live", "stock-msft-trade-live"}
    assert wants["stock-aapl-trade-live"].session == "extended"
    assert list(wants["stock-aapl-trade-live"].subscriptions) == [Stock("AAPL")]


def test_the_longest_warm_up_counts() -> None:
    streams = Streams()
    streams.put(spec("one", "AAPL", warmup="1d"))
    streams.put(spec("two", "AAPL", warmup="3d"))

    assert wish(streams).wants["stock-aapl-trade-live"].warmup_days == 3


def test_while_the_vendor_is_away_what_was_wanted_stays_wanted() -> None:
    streams = Streams()
    streams.put(spec("one", "AAPL"))
    before = wish(streams)

    def away(*_: object) -> list[Subscription]:
        raise VendorUnreachable("The terminal is away.")

    now = wish(streams, away, before)
    assert not now.is_whole
    assert now.wants["stock-aapl-trade-live"].subscriptions == before.wants["stock-aapl-trade-live"].subscriptions
    assert "away" in now.troubles["one"]


def test_what_the_vendor_does_not_have_is_told_and_not_asked_again() -> None:
    streams = Streams()
    streams.put(spec("one", "AAPL"))

    def nothing(*_: object) -> list[Subscription]:
        raise NoData("It has none.")

    now = wish(streams, nothing)
    assert now.is_whole
    assert now.wants["stock-aapl-trade-live"].subscriptions == {}
    assert now.troubles == {"one": "It has none."}


def test_a_topic_that_may_not_be_written_is_told_and_asked_for_again() -> None:
    streams = Streams()
    streams.put(spec("one", "AAPL"))
    streams.put(spec("two", "MSFT"))

    now = wish(streams, forbidden=frozenset({"stock-aapl-trade-live"}))
    assert not now.is_whole
    assert list(now.wants) == ["stock-msft-trade-live"]
    assert list(now.troubles) == ["one"]
    assert "does not let this service write to stock-aapl-trade-live" in now.troubles["one"]


def test_a_stream_that_is_stopped_is_told_until_that_is_done() -> None:
    streams = Streams()
    assert streams.put(spec("one", "AAPL"))
    assert not streams.put(spec("one", "AAPL"))
    streams.remove("one")

    assert [one.stream_id for one in streams.stopping()] == ["one"]
    assert streams.remove("one").stream_id == "one"
    streams.done(streams.version)
    assert streams.stopping() == []
    with pytest.raises(NotFound):
        streams.remove("one")


def test_another_stream_under_the_same_id_is_a_conflict() -> None:
    streams = Streams()
    streams.put(spec("one", "AAPL"))

    with pytest.raises(Conflict):
        streams.put(spec("one", "MSFT"))


def test_bars_of_one_topic_have_one_grid() -> None:
    streams = Streams()
    streams.put(spec("one", "AAPL", schema="ohlcv1h"))
    streams.put(spec("two", "AAPL", schema="ohlcv1h", session="extended"))

    with pytest.raises(Conflict) as refused:
        streams.put(spec("three", "MSFT", "AAPL", schema="ohlcv1h", session="regular"))
    assert refused.value.field == "feeds[1]"
