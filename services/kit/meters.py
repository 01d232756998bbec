"""What services count, as Prometheus metrics.

Labels are bounded: endpoints, schemas, codes, states; never symbols, contracts or ids. The writing path counts once a
block, the vendor's once a request.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.kit.memory import MemoryBudget
from services.kit.prepare import BACK, OUTSIDE
from services.kit.writer import QuarantinedRow, Rows
from stoculus.errors import (
    BrokerRefused,
    BrokerUnavailable,
    RegistryRefused,
    RegistryUnavailable,
    SchemaNotRegistered,
    StoculusError,
    TopicLost,
)
from stoculus.tasks import TaskStatus
from theta_client.client import ThetaClient

_REQUEST_BUCKETS_S: Final = (0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_COMMIT_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_REASONS: Final = {OUTSIDE: "outside_of_range", BACK: "goes_back"}
_UNREADABLE: Final = "unreadable"


class VendorMeters:
    """What is asked of the vendor."""

    def __init__(self) -> None:
        self._requests = Counter(
            "stoculus_vendor_requests",
            "Requests to the vendor; status: of HTTP, or the error where no whole answer came",
            ["endpoint", "status"],
            registry=None,
        )
        self._seconds = Histogram(
            "stoculus_vendor_request_seconds",
            "Time to the end of the vendor's answer, waits for memory to put it in included",
            ["endpoint"],
            buckets=_REQUEST_BUCKETS_S,
            registry=None,
        )

    def asked(self, endpoint: str, status: str, seconds: float) -> None:
        """A request that is over."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def register(self, registry: CollectorRegistry, client: ThetaClient) -> None:
        """Have it told, and what is under way at any time."""
        registry.register(self._requests)
        registry.register(self._seconds)
        inflight = Gauge("stoculus_vendor_inflight", "Requests to the vendor under way", registry=registry)
        inflight.set_function(lambda: client.under_way)
        queued = Gauge("stoculus_vendor_queue_depth", "Requests that wait for a slot", registry=registry)
        queued.set_function(lambda: client.waiting)
        slots = Gauge("stoculus_vendor_slots", "Requests that the tier may have under way", registry=registry)
        slots.set_function(lambda: client.tier.concurrency)


class ErrorMeters:
    """Errors of broker and registry that kept work from going on."""

    def __init__(self) -> None:
        self._broker = Counter(
            "stoculus_broker_errors", "Errors of the broker that stopped work for a while", ["error"], registry=None
        )
        self._registry = Counter(
            "stoculus_registry_errors", "The same of the schema registry", ["error"], registry=None
        )

    def register(self, registry: CollectorRegistry) -> None:
        """Have them told."""
        registry.register(self._broker)
        registry.register(self._registry)

    def note(self, error: StoculusError) -> None:
        """Count an error, if it is one of these."""
        if isinstance(error, BrokerUnavailable | BrokerRefused | TopicLost):
            self._broker.labels(error.code).inc()
        elif isinstance(error, RegistryUnavailable | RegistryRefused | SchemaNotRegistered):
            self._registry.labels(error.code).inc()


class TaskMeters:
    """What tasks write, and what hinders them."""

    def __init__(self) -> None:
        self.errors = ErrorMeters()
        self._records = Counter("stoculus_records", "Records committed to topics", ["schema"], registry=None)
        self._quarantined = Counter(
            "stoculus_rows_quarantined", "Malformed rows put in quarantine", ["reason"], registry=None
        )
        for reason in (*_REASONS.values(), _UNREADABLE):
            self._quarantined.labels(reason)
        self._commit_s = Histogram(
            "stoculus_txn_commit_seconds",
            "Time of a block's transaction, from its begin to its commit",
            buckets=_COMMIT_BUCKETS_S,
            registry=None,
        )
        self._aborts = Counter("stoculus_txn_aborts", "Transactions that did not commit", registry=None)

    @contextmanager
    def transaction(self, schema: str, rows: Rows | None, bad: list[QuarantinedRow]) -> Iterator[None]:
        """Time a transaction; count what it committed, or that it did not."""
        try:
            with self._commit_s.time():
                yield
        except StoculusError:
            self._aborts.inc()
            raise
        if rows is not None:
            self._records.labels(schema).inc(len(rows.bodies))
        for row in bad:
            self._quarantined.labels(_reason(str(row.headers["cause"]))).inc()

    def register(
        self, registry: CollectorRegistry, budget: MemoryBudget, statuses: Callable[[], list[TaskStatus]]
    ) -> None:
        """Have it told, and memory and tasks of the service at any time."""
        self.errors.register(registry)
        for one in (self._records, self._quarantined, self._commit_s, self._aborts):
            registry.register(one)
        used = Gauge("stoculus_memory_budget_used_bytes", "Memory of rows on their way", registry=registry)
        used.set_function(lambda: budget.used_bytes)
        limit = Gauge("stoculus_memory_budget_bytes", "Memory that rows on their way may take", registry=registry)
        limit.set(budget.limit_bytes)
        registry.register(_HeldTasks(statuses))


class _HeldTasks(Collector):
    def __init__(self, statuses: Callable[[], list[TaskStatus]]) -> None:
        self._statuses = statuses

    def collect(self) -> Iterable[Metric]:
        held = [status.state for status in self._statuses()]
        family = GaugeMetricFamily("stoculus_held_tasks", "Tasks that the service holds, by state", labels=["state"])
        for state in get_args(TaskStatus.model_fields["state"].annotation):
            family.add_metric([state], held.count(state))
        yield family


def _reason(cause: str) -> str:
    """Why a row is malformed, in few words: a cause may quote the row."""
    return next((reason for start, reason in _REASONS.items() if cause.startswith(start)), _UNREADABLE)
