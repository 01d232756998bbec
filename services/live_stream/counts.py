"""What the service counts, as Prometheus metrics."""

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.kit.meters import ErrorMeters
from stoculus.streams import StreamEvent, StreamStatus

MOST_STREAMS: Final = 100
"""A metric with a stream's id has so many at the most."""
_LAG_BUCKETS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)


class Counts:
    """Names begin with `stoculus_live_`. Counted a batch or a turn at a time, never a record."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.errors = ErrorMeters()
        self.errors.register(registry)
        self.messages = Counter("stoculus_live_messages", "Data messages received", registry=registry)
        self.skipped = Counter(
            "stoculus_live_messages_skipped", "Messages that are no records, such as session bars", registry=registry
        )
        self.malformed = Counter(
            "stoculus_live_messages_malformed", "Messages that could not be read", registry=registry
        )
        self.dropped = Counter(
            "stoculus_live_dropped", "Messages that a full buffer dropped; a gap each time", registry=registry
        )
        self.losses = Counter(
            "stoculus_live_connections_lost", "Connections to the terminal that ended", ["cause"], registry=registry
        )
        self.lease = Gauge("stoculus_live_lease", "1 while this instance may write", registry=registry)
        self.topics = Gauge("stoculus_live_topics", "Topics that are wanted", registry=registry)
        self.gaps = Gauge("stoculus_live_gaps", "Topics with a gap that is not healed", registry=registry)
        self.watermark_lag = Gauge(
            "stoculus_live_watermark_lag_seconds", "The tape's clock less the oldest watermark", registry=registry
        )
        self.lag = Histogram(
            "stoculus_live_lag_ms",
            "From a message's receipt to the broker's acknowledgement of its record, one observation a batch",
            buckets=_LAG_BUCKETS_MS,
            registry=registry,
        )
        self.queued = Gauge(
            "stoculus_producer_queue_messages", "Records handed over that the broker has not got", registry=registry
        )
        self._gap_s = Counter(
            "stoculus_live_gap_seconds", "Market time of gaps that were closed", ["healed"], registry=registry
        )
        for healed in ("true", "false"):
            self._gap_s.labels(healed)

    def tell(self, event: StreamEvent) -> None:
        """Count a gap that is over: healed, or told to stay."""
        if event.from_us is None or event.until_us is None:
            return
        if event.kind == "healed" or (event.kind == "gap" and not event.open):
            healed = "true" if event.kind == "healed" else "false"
            self._gap_s.labels(healed).inc(max(event.until_us - event.from_us, 0) / 1e6)


class StreamCounts(Collector):
    """How long streams have been silent, in market time."""

    def __init__(self, statuses: Callable[[], list[StreamStatus]]) -> None:
        self._statuses = statuses

    def collect(self) -> Iterable[Metric]:
        silence = GaugeMetricFamily(
            "stoculus_live_ms_since_last_event", "The tape's clock less a stream's newest event", labels=["stream"]
        )
        for status in self._statuses()[:MOST_STREAMS]:
            events = [topic.last_event_us for topic in status.topics if topic.last_event_us is not None]
            if events and status.tape_us is not None:
                silence.add_metric([status.stream_id], max(status.tape_us - max(events), 0) / 1000)
        yield silence
