"""What the coordinator writes to the broker."""

import string
from datetime import UTC, datetime
from itertools import islice, product

import orjson

from coordinator.backtests.manifest import manifest
from coordinator.backtests.models import Submission
from coordinator.backtests.states import Observed
from coordinator.backtests.store import Backtest
from coordinator.broker import Broker
from coordinator.progress import Progress
from coordinator.selections import MAX_TOPICS
from services.kit.app import MAX_BODY_BYTES
from stoculus import topics
from stoculus.kafka import admin
from stoculus.kafka.compacted import CompactedLog
from tests.conftest import Broker as RunningBroker

NOW = datetime(2024, 1, 10, 12, tzinfo=UTC)


def test_the_manifest_of_the_longest_request_is_written_and_read(broker: RunningBroker) -> None:
    admin.create_control_topics(admin.connect(broker.kafka))
    roots = ["".join(letters) for letters in islice(product(string.ascii_uppercase, repeat=6), MAX_TOPICS)]
    data = [
        {
            "asset": "option",
            "root": root,
            "schema": "quote",
            "contracts": [f"{root}240105C{n:08d}" for n in range(1, 40)],
        }
        for root in roots
    ]
    body = orjson.dumps({"backtest_id": "longest", "start": "2024-01-02", "end": "2024-01-05", "data": data})
    assert MAX_BODY_BYTES * 0.9 < len(body) < MAX_BODY_BYTES
    backtest = Backtest("longest", NOW, Submission.model_validate_json(body))
    written = manifest(backtest, Observed.QUEUED, Progress(), NOW)

    Broker(broker.kafka).write_manifests({"longest": written})

    log = CompactedLog(broker.kafka, topics.BACKTESTS)
    try:
        assert dict(log.read_past_ends())["longest"] == written
    finally:
        log.close()
        Broker(broker.kafka).write_manifests({"longest": None})
