"""Prometheus metrics of the coordinator, counted when they are asked for."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coordinator.backtests.service import Backtests
from coordinator.backtests.states import Observed, TaskState
from coordinator.backtests.views import states
from coordinator.changes import Changes
from coordinator.progress import Progress
from coordinator.streams.observations import Observations
from coordinator.streams.service import Streams
from coordinator.streams.states import Observed as StreamObserved


class BacktestMetrics(Collector):
    """Backtests by state, tasks of open backtests by state, and whether tasks wait."""

    def __init__(self, backtests: Backtests, progress: Progress, observed: dict[str, Observed]) -> None:
        self._backtests = backtests
        self._progress = progress
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
        waiting = kinds[TaskState.WAITING] > 0
        yield GaugeMetricFamily("stoculus_tasks_are_waiting", "1: tasks wait for vendor or broker", float(waiting))

    def _task_kinds(self) -> Counter[TaskState]:
        if self._backtests.trouble:
            return Counter()
        return Counter(kind for b in self._backtests.opened() for kind in states(b, self._progress)[1])


class StreamMetrics(Collector):
    """Streams by state."""

    def __init__(self, streams: Streams, observations: Observations) -> None:
        self._streams = streams
        self._observations = observations

    def collect(self) -> Iterable[Metric]:
        streams = [] if self._streams.trouble else self._streams.all()
        by_state = Counter(self._observations.state(stream)[0] for stream in streams)
        family = GaugeMetricFamily("stoculus_streams", "Streams by state", labels=["state"])
        for state in StreamObserved:
            family.add_metric([str(state)], by_state[state])
        yield family


class ServiceMetrics(Collector):
    """Whether the services are there, and who watches."""

    def __init__(self, troubles: Callable[[], Mapping[str, str | None]], changes: Sequence[Changes]) -> None:
        self._troubles = troubles
        self._changes = changes

    def collect(self) -> Iterable[Metric]:
        away = GaugeMetricFamily("stoculus_service_away", "1: the service does not answer", labels=["service"])
        for name, trouble in self._troubles().items():
            away.add_metric([name], float(trouble is not None))
        yield away
        watched = sum(one.watched for one in self._changes)
        yield GaugeMetricFamily("stoculus_watchers", "Open event streams", watched)
