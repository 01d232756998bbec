import threading
from typing import Any

import pytest

import stoculus
from stoculus.errors import BacktestIncomplete
from stoculus.reading.reader import Status
from stoculus.records.catalog import record_type
from stoculus.settings import Connections
from tests.integration.reading.conftest import CHAIN_QUOTE, OPEN_US, Broker, Make, Registry, chain_rows
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import records

QUOTE, TRADE, BAR = record_type("StockQuote"), record_type("StockTrade"), record_type("StockOhlcv")
MINUTE_US = 60_000_000
QUOTES = records(QUOTE, [OPEN_US + n * 1_000_000 for n in range(600)])
BARS = records(BAR, [OPEN_US + n * MINUTE_US for n in range(10)])
CHAIN = chain_rows(CHAIN_QUOTE, [OPEN_US + n * MINUTE_US for n in range(10)])


@pytest.fixture(scope="module")
def complete(broker: Broker, registry: Registry) -> Written:
    """Ten minutes: bars, quotes, and the quotes of a chain at each minute."""
    chosen = [Selection("AAPL", "ohlcv1m"), Selection("AAPL", "quote"), Selection("SPXW", "quote1m", "option")]
    backtest = Written(broker.kafka, registry.connection, chosen)
    for task, rows in zip(backtest.tasks, (BARS, QUOTES, CHAIN), strict=True):
        task.write(rows).complete()
    return backtest.say("completed")


def test_stocks_and_options_come_in_the_order_in_which_they_were_known(complete: Written, where: Connections) -> None:
    merge = stoculus.merge(complete.backtest_id, settings=where)
    events = list(merge)

    assert merge.status is Status.DONE
    assert len(events) == 10 + 600 + 40
    order = [(event.available_at, complete.topics.index(event.topic)) for event in events]
    assert order == sorted(order)
    for topic, batch in zip(complete.topics, (BARS, QUOTES, CHAIN), strict=True):
        assert [event.record._asdict() for event in events if event.topic == topic] == batch.to_pylist()
    bars = [event for event in events if type(event.record).__name__ == "StockOhlcv"]
    assert all((event.available_at - event.record.ts_event).total_seconds() == 60 for event in bars)


def test_columns_say_the_same_as_events(complete: Written, where: Connections) -> None:
    events = [(event.topic, event.record._asdict()) for event in stoculus.merge(complete.backtest_id, settings=where)]
    columns = []
    for part in stoculus.merge(complete.backtest_id, settings=where).batches():
        rows = [batch.to_pylist() for batch in part.parts]
        columns += [(part.topics[feed], rows[feed][row]) for feed, row in zip(part.feed, part.row, strict=True)]

    assert columns == events


def test_ties_stand_in_the_order_that_was_asked_for(complete: Written, where: Connections) -> None:
    bars, quotes, _ = complete.topics
    asked = [quotes, bars]

    events = list(stoculus.merge(complete.backtest_id, topics=asked, settings=where))

    at_first_minute = [event.topic for event in events if event.available_at == BARS["ts_event"][1].as_py()]
    assert at_first_minute == asked


def test_a_slice_is_merged_by_event_times(complete: Written, where: Connections) -> None:
    merge = stoculus.merge(complete.backtest_id, start="2024-01-02T09:31", end="2024-01-02T09:32", settings=where)

    counts = [0, 0, 0]
    for event in merge:
        counts[complete.topics.index(event.topic)] += 1
    assert counts == [1, 60, 4]


def test_a_running_backtest_is_merged_as_it_comes_and_a_quiet_topic_holds_nothing_up(
    make: Make, where: Connections
) -> None:
    backtest = make("quote", "trade").say("running")
    busy, quiet = backtest.tasks
    first, second = QUOTES.slice(0, 300), QUOTES.slice(300)
    # The quiet topic had one trade, and its checkpoint says that its day is complete.
    quiet.write(records(TRADE, [OPEN_US])).complete()
    busy.add(first)
    merge = stoculus.merge(backtest.backtest_id, settings=where)

    # All but the last, behind which there may be another one of the same time.
    before = [next(merge) for _ in range(300)]
    rest: list[Any] = []
    reading = threading.Thread(target=lambda: rest.extend(merge))
    reading.start()
    busy.add(second).complete()
    reading.join(60)

    assert [event.topic for event in before[:2]] == backtest.topics
    assert len(before) + len(rest) == 601
    assert [event.available_at for event in rest[-300:]] == second["ts_event"].to_pylist()


def test_a_merge_of_what_will_not_be_complete_says_so(make: Make, where: Connections) -> None:
    backtest = make("quote", "trade").say("failed")
    for task in backtest.tasks:
        task.close()

    with pytest.raises(BacktestIncomplete, match="is failed"):
        stoculus.merge(backtest.backtest_id, settings=where)
