"""What the coordinator tells of backtests."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from coordinator.backtests.models import Submission
from coordinator.backtests.states import Observed
from coordinator.backtests.store import Backtest
from coordinator.metrics import MOST_BACKTESTS, BacktestMetrics, BrokerMetrics, Pace
from coordinator.progress import Progress
from stoculus.checkpoints import Checkpoint
from stoculus.errors import BrokerUnavailable

NOW = datetime(2024, 1, 10, tzinfo=UTC)
REQUEST = Submission.model_validate(
    {
        "start": "2024-01-02",
        "end": "2024-01-02",
        "data": [{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "quote"}],
    }
)


class Looked:
    """Backtests, what is known of them, and what the metrics say."""

    def __init__(self, *backtest_ids: str) -> None:
        self.now_s = 0.0
        self.opened = [Backtest(one, NOW, REQUEST) for one in backtest_ids]
        self.progress = Progress()
        self.observed: dict[str, Observed] = {}
        backtests: Any = SimpleNamespace(trouble=None, opened=lambda: self.opened)
        self._metrics = BacktestMetrics(backtests, self.progress, self.observed, lambda: self.now_s)

    def write(self, backtest_id: str, ticker: str, records: int, expected: int, state: str = "running") -> None:
        topic = f"stock-{ticker}-quote-historical-{backtest_id}"
        self.progress.checkpoints[topic] = Checkpoint.model_validate(
            {
                "task_id": topic,
                "backtest_id": backtest_id,
                "record": "io.stoculus.StockQuote",
                "schema": "quote",
                "symbol": ticker.upper(),
                "state": state,
                "attempt": 1,
                "records": records,
                "rows_expected": expected,
                "updated_at": NOW,
            }
        )

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        [family] = [one for one in self._metrics.collect() if one.name == name]
        return {tuple(one.labels.values()): one.value for one in family.samples}


def test_an_open_backtest_tells_of_its_state_tasks_and_records() -> None:
    looked = Looked("42")
    looked.write("42", "aapl", 30, 40)

    assert looked.samples("stoculus_backtest_state") == {("42", "running"): 1}
    assert looked.samples("stoculus_backtest_tasks") == {("42", "queued"): 2}
    assert looked.samples("stoculus_backtest_records") == {("42", "quote"): 30}
    assert looked.samples("stoculus_tasks")[("queued",)] == 2


def test_tasks_count_alike_in_how_much_is_done() -> None:
    looked = Looked("42")
    looked.write("42", "aapl", 7, 7, "completed")
    looked.write("42", "msft", 100, 200)

    assert looked.samples("stoculus_backtest_done_ratio") == {("42",): 0.75}


def test_the_time_left_goes_by_the_pace_so_far() -> None:
    looked = Looked("42")
    assert looked.samples("stoculus_backtest_eta_seconds") == {}
    looked.now_s = 30
    looked.write("42", "aapl", 100, 200)

    assert looked.samples("stoculus_backtest_eta_seconds") == {("42",): pytest.approx(90)}


def test_deleted_ones_are_not_told_of() -> None:
    looked = Looked()
    looked.opened = [Backtest("42", NOW, REQUEST, deleted_at=NOW)]

    assert looked.samples("stoculus_backtest_state") == {}
    assert sum(looked.samples("stoculus_tasks").values()) == 0


def test_ids_are_labels_of_so_many_backtests_and_no_more() -> None:
    looked = Looked(*(f"b{n}" for n in range(MOST_BACKTESTS + 7)))

    assert len(looked.samples("stoculus_backtest_done_ratio")) == MOST_BACKTESTS
    assert looked.samples("stoculus_tasks")[("queued",)] == 2 * (MOST_BACKTESTS + 7)


def test_the_pace_of_closed_backtests_is_forgotten() -> None:
    clock = SimpleNamespace(now_s=0.0)
    pace = Pace(lambda: clock.now_s)
    pace.eta_s("42", 0.0)
    pace.keep(set())
    clock.now_s = 10
    assert pace.eta_s("42", 0.5) is None

    clock.now_s = 20
    assert pace.eta_s("42", 0.75) == pytest.approx(10)


def away() -> dict[str, int]:
    raise BrokerUnavailable("Away.")


@pytest.mark.parametrize(("look", "found"), [(lambda: {"a": 1, "b": 8}, [9.0]), (away, [])])
def test_partitions_are_told_while_the_broker_answers(look: Any, found: list[float]) -> None:
    partitions, limit = BrokerMetrics(cast(Any, SimpleNamespace(partition_counts=look)), 4000).collect()

    assert [one.value for one in partitions.samples] == found
    assert [one.value for one in limit.samples] == [4000]
