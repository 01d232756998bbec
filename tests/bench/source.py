"""What is measured: the simulator's quotes of `LOAD`, a million a day in the regular session."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

import httpx2

from services.historical_stock.plan import request_of, windows_of
from stoculus.tasks import StockTask

TICKER: Final = "LOAD"
DAYS: Final = (date(2024, 1, 2), date(2024, 1, 3))
ROWS_A_DAY: Final = 1_000_000


def task(backtest_id: str, ticker: str = TICKER, *, schema: str = "quote", end: date = DAYS[-1]) -> StockTask:
    """A task from the first of the days on."""
    return StockTask(backtest_id=backtest_id, ticker=ticker, start=DAYS[0], end=end, schema=schema)


def download(simulator_url: str, task: StockTask) -> Mapping[date, bytes]:
    """The vendor's CSV of each chunk: a header, the rows, an empty line."""
    return {day: b"".join(pieces) for day, pieces in _answers(simulator_url, task)}


def warm(simulator_url: str, task: StockTask) -> None:
    """Have the simulator make what it will be asked for: it keeps it, and its arithmetic is not measured."""
    for _, pieces in _answers(simulator_url, task):
        for _ in pieces:
            pass


def count_rows(bodies: Mapping[date, bytes]) -> int:
    """The rows of all bodies, without header and empty line."""
    return sum(body.count(b"\n") - 2 for body in bodies.values())


def _answers(simulator_url: str, task: StockTask) -> Iterator[tuple[date, Iterator[bytes]]]:
    with httpx2.Client(base_url=f"{simulator_url}/v3/", timeout=120, trust_env=False) as client:
        for window in windows_of(task):
            request = request_of(task, task.ticker, window)
            with client.stream("GET", request.path, params=request.params) as answer:
                answer.raise_for_status()
                yield window.start, answer.iter_raw()
