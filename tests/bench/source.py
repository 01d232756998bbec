"""What is measured: the simulator's quotes of `LOAD`, a stock with a million a day and a chain of 5,000 contracts."""

import time
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

import httpx2

from services.historical_option.plan import vendor_interval
from services.historical_option.plan import windows_of as option_windows
from services.historical_stock.plan import request_of, windows_of
from stoculus.tasks import OptionTask, StockTask
from theta_client.client import HistoryRequest, OptionRequest

TICKER: Final = "LOAD"
DAYS: Final = (date(2024, 1, 2), date(2024, 1, 3))
ROWS_A_DAY: Final = 1_000_000
CHAIN_ROWS: Final = {"1m": 5_000 * 391, "10s": 5_000 * 2_341}
"""Quotes of the chain's day by interval: all contracts at each of its times from 09:30 to 16:00."""


def task(backtest_id: str, ticker: str = TICKER, *, schema: str = "quote", end: date = DAYS[-1]) -> StockTask:
    """A task from the first of the days on."""
    return StockTask(backtest_id=backtest_id, ticker=ticker, start=DAYS[0], end=end, schema=schema)


def chain_task(backtest_id: str, interval: str = "1m") -> OptionTask:
    """The task of the first day's quotes of the whole chain."""
    day = DAYS[0]
    return OptionTask(
        backtest_id=backtest_id, root=TICKER, expirations="all", start=day, end=day, schema="quote", interval=interval
    )


def download(simulator_url: str, task: StockTask) -> Mapping[date, bytes]:
    """The vendor's CSV of each chunk: a header, the rows, an empty line."""
    return {day: b"".join(pieces) for day, pieces in _answers(simulator_url, task)}


def warm(simulator_url: str, task: StockTask | OptionTask) -> None:
    """Have the simulator make what it will be asked for: it keeps it, and its arithmetic is not measured."""
    for _, pieces in _answers(simulator_url, task):
        for _ in pieces:
            pass


def chain_from_simulator(simulator_url: str) -> float:
    """Rows a second at which the simulator sends the chain's day to a client that does nothing with it."""
    started = time.perf_counter()
    warm(simulator_url, chain_task("none"))
    return CHAIN_ROWS["1m"] / (time.perf_counter() - started)


def count_rows(bodies: Mapping[date, bytes]) -> int:
    """The rows of all bodies, without header and empty line."""
    return sum(body.count(b"\n") - 2 for body in bodies.values())


def _answers(simulator_url: str, task: StockTask | OptionTask) -> Iterator[tuple[date, Iterator[bytes]]]:
    with httpx2.Client(base_url=f"{simulator_url}/v3/", timeout=300, trust_env=False) as client:
        for request in _requests(task):
            with client.stream("GET", request.path, params=request.params) as answer:
                answer.raise_for_status()
                yield request.window.start, answer.iter_raw()


def _requests(task: StockTask | OptionTask) -> list[HistoryRequest | OptionRequest]:
    """As the services ask; of a chain all expirations at once."""
    if isinstance(task, StockTask):
        return [request_of(task, task.ticker, window) for window in windows_of(task)]
    interval = vendor_interval(task.record_schema)
    return [OptionRequest("quote", task.root, window, interval=interval) for window in option_windows(task)]
