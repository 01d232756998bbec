"""The manifest of each backtest on `stoculus.backtests`: what it asked for and what its topics hold.

Key: backtest id. Value: JSON, written whenever the state changes; null when the backtest is deleted.
"""

from datetime import datetime
from typing import Any, Final

import orjson

from coordinator.backtests.states import Observed
from coordinator.backtests.store import Backtest
from coordinator.progress import Progress
from coordinator.tail import Record
from stoculus.records.catalog import Asset

FEEDS: Final[dict[Asset, str]] = {"stock": "SIP consolidated tape", "option": "OPRA"}


class Manifests:
    """Knows what the topic says of each backtest, so that only changes are written."""

    def __init__(self) -> None:
        self._written: dict[str, tuple[str, int]] = {}

    def apply(self, records: list[Record]) -> None:
        """Take records of the topic in."""
        for backtest_id, value in records:
            if value is None:
                self._written.pop(backtest_id, None)
            else:
                manifest = orjson.loads(value)
                self._written[backtest_id] = (manifest["state"], manifest["attempt"])

    def says(self, backtest: Backtest, state: Observed) -> bool:
        """Whether the topic says this already."""
        return self._written.get(backtest.backtest_id) == (str(state), backtest.attempt)

    def note(self, backtest: Backtest, state: Observed) -> None:
        """The broker has taken this; it comes back by the topic later."""
        self._written[backtest.backtest_id] = (str(state), backtest.attempt)


def manifest(backtest: Backtest, state: Observed, progress: Progress, now: datetime) -> bytes:
    """The record value of a backtest."""
    return orjson.dumps(
        {
            "backtest_id": backtest.backtest_id,
            "state": str(state),
            "attempt": backtest.attempt,
            "request": backtest.submission.model_dump(mode="json", by_alias=True, exclude_none=True),
            "topics": [_topic(backtest, n, progress) for n in range(len(backtest.planned))],
            "created_at": backtest.created_at,
            "updated_at": now,
        }
    )


def _topic(backtest: Backtest, n: int, progress: Progress) -> dict[str, Any]:
    planned = backtest.planned[n]
    schema = planned.task.record_schema
    checkpoint = progress.checkpoints.get(planned.topic)
    return {
        "topic": planned.topic,
        "symbol": planned.task.symbol,
        "schema": schema.name,
        "record": schema.record.subject,
        "feed": FEEDS[planned.asset],
        "records": checkpoint.records if checkpoint else 0,
        "last_offset": checkpoint.last_offset if checkpoint else None,
    }
