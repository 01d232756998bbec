"""Prometheus metrics of the coordinator, counted when they are asked for."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coordinator.backtests.service import Backtests
from coordinator.backtests.states import Observed, TaskState
from coordinator.backtests.views import states
from coordinator.progress import Changes, Progress


class BacktestMetrics(Collector):
    """Backtests by state, tasks of open backtests by state, who watches, and whether services and vendor are there."""

    def __init__(
        self, backtests: Backtests, progress: Progress, changes: Changes, observed: dict[str, Observed]
    ) -> None:
        self._backtests = backtests
        self._progress = progress
        self._changes = changes
        self._observed = observed

    def collect(self) -> Iterable[Metric]:
        by_state = Counter(self._observed.copy().values())
        backtests = GaugeMetricFamily("stoculus_backtests", "Backtests by state", labels=["state"])
        for state in Observed:
            backtests.add_metric([str(state)], by_state[state])
        yield backtests
        tasks = GaugeMetricFamily("stoculus_tasks", "Tasks of open backtests by state", labels=["state"])
        kinds = self._task_kinds()
        for kind in TaskState:
            tasks.add_metric([str(kind)], kinds[kind])
        yield tasks
        away = GaugeMetricFamily("stoculus_service_away", "1: the service does not answer", labels=["service"])
        for asset, service in self._progress.services.items():
            away.add_metric([f"historical-{asset}"], float(service.trouble is not None))
        yield away
        waiting = kinds[TaskState.WAITING] > 0
        yield GaugeMetricFamily("stoculus_tasks_are_waiting", "1: tasks wait for vendor or broker", float(waiting))
        yield GaugeMetricFamily("stoculus_watchers", "Open event streams", self._changes.watched)

    def _task_kinds(self) -> Counter[TaskState]:
        if self._backtests.trouble:
            return Counter()
        return Counter(kind for b in self._backtests.opened() for kind in states(b, self._progress)[1])
