"""What the service counts, as Prometheus metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Counts:
    """Names begin with `stoculus_live_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter("stoculus_live_messages", "Data messages received", registry=registry)
        self.skipped = Counter(
            "stoculus_live_messages_skipped", "Messages that are no records, such as session bars", registry=registry
        )
        self.malformed = Counter(
            "stoculus_live_messages_malformed", "Messages that could not be read", registry=registry
        )
        self.dropped = Counter(
            "stoculus_live_messages_dropped", "Messages that a full buffer dropped; a gap each time", registry=registry
        )
        self.losses = Counter(
            "stoculus_live_connections_lost", "Connections to the terminal that ended", ["cause"], registry=registry
        )
        self.lease = Gauge("stoculus_live_lease", "1 while this instance may write", registry=registry)
        self.topics = Gauge("stoculus_live_topics", "Topics that are wanted", registry=registry)
        self.gaps = Gauge("stoculus_live_gaps", "Topics with a gap that is not healed", registry=registry)
        self.lag = Gauge(
            "stoculus_live_watermark_lag_seconds", "The tape's clock less the oldest watermark", registry=registry
        )
