"""Two groups read a million records beside each other; members of one join, leave, and are killed."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from stoculus.records.catalog import record_type
from tests.conftest import CHECKOUT, Broker, Registry
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import OPEN_US, records

pytestmark = pytest.mark.chaos
TICKERS: Final = ["AAPL", "AMD", "BAC", "MSFT", "SPY"]
RECORDS: Final = 200_000
STEP_US: Final = 10_000


@pytest.fixture(scope="module")
def million(broker: Broker, registry: Registry) -> Written:
    backtest = Written(broker.kafka, registry.connection, [Selection(ticker, "quote") for ticker in TICKERS])
    for task in backtest.tasks:
        for first in range(0, RECORDS, 50_000):
            times = [OPEN_US + n * STEP_US for n in range(first, first + 50_000)]
            task.add(records(record_type("StockQuote"), times, task.selection.symbol))
        task.complete()
    return backtest.say("completed")


@contextmanager
def member(backtest: Written, group: str, told: Path, *, until_end: bool) -> Iterator["subprocess.Popen[bytes]"]:
    arguments = [backtest.kafka.bootstrap, backtest.registry.url, group, str(until_end), *backtest.topics]
    with told.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "tests.chaos.member", *arguments], stdout=out, cwd=CHECKOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait(30)


def work_done(*told: Path) -> dict[str, list[tuple[int, int]]]:
    """Of each topic the stretches that were worked on, as record numbers, both included."""
    found: dict[str, list[tuple[int, int]]] = {}
    for line in (line for file in told for line in file.read_text().splitlines(keepends=True)):
        if not line.endswith("\n"):  # it is being written, or its writer was killed
            continue
        topic, first_us, last_us = line.split()
        stretch = ((int(first_us) - OPEN_US) // STEP_US, (int(last_us) - OPEN_US) // STEP_US)
        found.setdefault(topic, []).append(stretch)
    return found


def covered(stretches: list[tuple[int, int]]) -> int:
    """Up to which number all records are in one of the stretches."""
    reached = 0
    for first, last in sorted(stretches):
        if first > reached:
            break
        reached = max(reached, last + 1)
    return reached


def test_each_group_has_every_record_whoever_comes_goes_and_dies(million: Written, tmp_path: Path) -> None:
    alone, shared = f"alone-{uuid4().hex}", f"shared-{uuid4().hex}"
    told = [tmp_path / name for name in ("alone", "killed", "leaving", "staying", "late")]
    with ExitStack() as stack:
        stack.enter_context(member(million, alone, told[0], until_end=True))
        killed = stack.enter_context(member(million, shared, told[1], until_end=False))
        leaving = stack.enter_context(member(million, shared, told[2], until_end=False))
        stack.enter_context(member(million, shared, told[3], until_end=False))
        until(lambda: covered_by(million, *told[1:]) > 0)
        killed.kill()
        until(lambda: covered_by(million, *told[1:]) > len(TICKERS) * RECORDS // 4)
        leaving.terminate()
        stack.enter_context(member(million, shared, told[4], until_end=False))

        until(lambda: covered_by(million, told[0]) == len(TICKERS) * RECORDS)
        until(lambda: covered_by(million, *told[1:]) == len(TICKERS) * RECORDS)

    once = work_done(told[0])
    assert all(sum(last - first + 1 for first, last in once[topic]) == RECORDS for topic in million.topics)


def covered_by(backtest: Written, *told: Path) -> int:
    done = work_done(*(file for file in told if file.exists()))
    return sum(covered(done.get(topic, [])) for topic in backtest.topics)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
