"""Option tasks on the synthetic market, seen by plain clients."""

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

from tests.conftest import Registry
from tests.integration.services.conftest import Read
from tests.integration.services.harness import NEW_YORK, Checkpoints, Service, Simulator, decoded, hash_of

DAY = "2024-01-03"


def chain(backtest_id: str, **changes: Any) -> dict[str, Any]:
    """The task of a day's one-minute quotes of some SPXW contracts."""
    return {
        "backtest_id": backtest_id,
        "root": "SPXW",
        "start": DAY,
        "end": DAY,
        "schema": "quote1m",
        "expirations": ["2024-01-05"],
        "strikes": {"min": 4650, "max": 4750},
    } | changes


def in_market_order(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["ts_event"], row["expiration"], row["strike"], row["right"]


def test_a_chain_comes_in_the_markets_order(
    option_service: Service, checkpoints: Checkpoints, read: Read, registry: Registry, simulator: Simulator,
    backtest_id: str,
) -> None:  # fmt: skip
    task_id = option_service.start_task(chain(backtest_id))
    receipt = checkpoints.completed(task_id)
    records = read(task_id)
    rows = list(decoded(records, registry.url))

    assert task_id == f"option-spxw-quote1m-historical-{backtest_id}"
    assert receipt.records == len(rows) > 1000
    assert receipt.hash == hash_of(records)
    assert rows == sorted(rows, key=in_market_order)
    assert [record.key for record in records] == [row["symbol"].encode() for row in rows]
    body = simulator.csv(
        "quote", "option", symbol="SPXW", expiration="2024-01-05", date=DAY, interval="1m", end_time="16:15:00"
    )
    sent = [row for row in csv.DictReader(io.StringIO(body.decode())) if 4650 <= float(row["strike"]) <= 4750]
    filled = [row for row in sent if any(float(row[name]) for name in ("bid", "ask", "bid_size", "ask_size"))]
    assert receipt.empty_bars == len(sent) - len(filled)
    assert {(_utc(row["timestamp"]), float(row["strike"]), row["right"], float(row["bid"])) for row in filled} == {
        (row["ts_event"], row["strike"], row["right"], row["bid"]) for row in rows
    }
    assert {row["expiration"] for row in rows} == {date(2024, 1, 5)}


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)
