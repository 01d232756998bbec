"""Prometheus metrics of the coordinator, counted when they are asked for.

A backtest's id is a label only while the backtest is open, and of so many backtests at the most.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from coordinator.backtests.service import Backtests
from coordinator.backtests.states import Observed, TaskState
from coordinator.backtests.store import Backtest
from coordinator.backtests.views import states
from coordinator.broker import Broker
from coordinator.changes import Changes
from coordinator.progress import Progress
from coordinator.streams.observations import Observations
from coordinator.streams.service import Streams
from coordinator.streams.states import Observed as StreamObserved
from stoculus.errors import StoculusError

MOST_BACKTESTS: Final = 100
"""Metrics with a backtest's id have so many at the most, the oldest open ones."""


class BacktestMetrics(Collector):
    """Backtests by state, tasks of open backtests by state, and how far open backtests have come."""

    def __init__(
        self,
        backtests: Backtests,
        progress: Progress,
        observed: dict[str, Observed],
        monotonic: Callable[[], float],
    ) -> None:
        self._backtests = backtests
        self._progress = progress
        self._observed = observed
        self._pace = Pace(monotonic)

    def collect(self) -> Iterable[Metric]:
        opened = [] if self._backtests.trouble else [one for one in self._backtests.opened() if not one.deleted_at]
        seen = [(one, *states(one, self._progress)) for one in opened]
        yield _by_state("stoculus_backtests", "Backtests by state", Observed, self._observed.copy().values())
        kinds = [kind for _, _, kinds in seen for kind in kinds]
        yield _by_state("stoculus_tasks", "Tasks of open backtests by state", TaskState, kinds)
        yield from self._each(seen[:MOST_BACKTESTS])

    def _each(self, seen: Sequence[tuple[Backtest, Observed, list[TaskState]]]) -> Iterable[Metric]:
        state = GaugeMetricFamily(
            "stoculus_backtest_state", "1: the state of an open backtest", labels=["backtest", "state"]
        )
        tasks = GaugeMetricFamily(
            "stoculus_backtest_tasks", "Tasks of an open backtest by state", labels=["backtest", "state"]
        )
        records = GaugeMetricFamily(
            "stoculus_backtest_records", "Committed records of an open backtest", labels=["backtest", "schema"]
        )
        done = GaugeMetricFamily(
            "stoculus_backtest_done_ratio", "How much of an open backtest is done", labels=["backtest"]
        )
        left = GaugeMetricFamily(
            "stoculus_backtest_eta_seconds", "Until an open backtest is done, at its pace so far", labels=["backtest"]
        )
        self._pace.keep({backtest.backtest_id for backtest, _, _ in seen})
        for backtest, observed, kinds in seen:
            name, share = backtest.backtest_id, self._share(backtest)
            state.add_metric([name, str(observed)], 1)
            for kind, count in Counter(kinds).items():
                tasks.add_metric([name, str(kind)], count)
            for schema, count in self._records(backtest).items():
                records.add_metric([name, schema], count)
            done.add_metric([name], share)
            if (eta_s := self._pace.eta_s(name, share)) is not None:
                left.add_metric([name], eta_s)
        yield from (state, tasks, records, done, left)

    def _records(self, backtest: Backtest) -> Counter[str]:
        found: Counter[str] = Counter()
        for planned in backtest.planned:
            if checkpoint := self._progress.checkpoints.get(planned.topic):
                found[planned.task.record_schema.name] += checkpoint.records
        return found

    def _share(self, backtest: Backtest) -> float:
        """Every task counts alike: how large those are that have not begun, nobody knows."""
        shares = []
        for topic in backtest.topics:
            now = self._progress.checkpoints.get(topic)
            if now is None:
                shares.append(0.0)
            else:
                is_done = now.state == "completed"
                shares.append(1.0 if is_done else min(1.0, now.records / max(now.rows_expected, now.records, 1)))
        return sum(shares) / max(len(shares), 1)


class Pace:
    """How fast backtests get on, since they were first looked at."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._begun: dict[str, tuple[float, float]] = {}

    def keep(self, backtest_ids: Collection[str]) -> None:
        """Forget all others."""
        self._begun = {one: begun for one, begun in self._begun.items() if one in backtest_ids}

    def eta_s(self, backtest_id: str, share: float) -> float | None:
        """Seconds until all is done, now that `share` of it is; None while nothing moves."""
        now_s = self._monotonic()
        begun_s, begun = self._begun.setdefault(backtest_id, (now_s, share))
        return (1 - share) * (now_s - begun_s) / (share - begun) if share > begun else None


class StreamMetrics(Collector):
    """Streams by state."""

    def __init__(self, streams: Streams, observations: Observations) -> None:
        self._streams = streams
        self._observations = observations

    def collect(self) -> Iterable[Metric]:
        streams = [] if self._streams.trouble else self._streams.all()
        found = [self._observations.state(stream)[0] for stream in streams]
        yield _by_state("stoculus_streams", "Streams by state", StreamObserved, found)


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


class BrokerMetrics(Collector):
    """The broker's room in partitions. Asks the broker each time; one that is away has no partitions to tell."""

    def __init__(self, broker: Broker, max_partitions: int) -> None:
        self._broker = broker
        self._max_partitions = max_partitions

    def collect(self) -> Iterable[Metric]:
        partitions = GaugeMetricFamily("stoculus_partitions", "Partitions of all topics together", labels=[])
        with suppress(StoculusError):  # the coordinator's loops tell of it
            partitions.add_metric([], sum(self._broker.partition_counts().values()))
        yield partitions
        yield GaugeMetricFamily(
            "stoculus_partitions_limit", "Partitions that the broker may hold, by setting", self._max_partitions
        )


def _by_state(name: str, text: str, states: Iterable[str], found: Iterable[str]) -> Metric:
    family, counts = GaugeMetricFamily(name, text, labels=["state"]), Counter(found)
    for state in states:
        family.add_metric([str(state)], counts[state])
    return family
