"""Option tasks on the synthetic market, seen by plain clients: every schema, value by value and in order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from stoculus.records.catalog import RECORDS
from tests.conftest import Registry
from tests.integration.kafka.conftest import Record
from tests.integration.services import vendor_csv
from tests.integration.services.conftest import Read
from tests.integration.services.harness import (
    Checkpoints,
    Service,
    Simulator,
    assert_same,
    days_of,
    decoded,
    hash_of,
    schema_of,
)
from tests.integration.services.vendor import Row
from tests.integration.services.vendor_options import in_order, is_empty

DAYS = [date(2024, 1, 3), date(2024, 1, 4)]


@dataclass(frozen=True, slots=True)
class Chain:
    """Some contracts of a root."""

    root: str
    expirations: tuple[str, ...]
    strikes: tuple[int, ...]

    @property
    def task(self) -> dict[str, Any]:
        return {"root": self.root, "expirations": self.expirations, "strikes": self.strikes}


XSP = Chain("XSP", ("2024-01-05", "2024-01-12"), (470, 471, 472, 473))
KO = Chain("KO", ("2024-01-19", "2024-02-16"), (210, 215, 220, 225))
"""Of a root with few contracts: whatever is named, reports are asked for of all."""

Fill = Callable[..., tuple[Any, list[Record], list[Row]]]


@pytest.fixture
def fill(option_service: Service, checkpoints: Checkpoints, read: Read, registry: Registry, backtest_id: str) -> Fill:
    """Run a task to its receipt; return the receipt, the records, and their decoded values."""

    def run(**task: Any) -> tuple[Any, list[Record], list[Row]]:
        body = {"backtest_id": backtest_id, "root": "XSP", "start": f"{DAYS[0]}", "end": f"{DAYS[-1]}"} | task
        receipt = checkpoints.completed(option_service.start_task(body))
        records = read(receipt.task_id)
        assert (receipt.records, receipt.days) == (len(records), days_of(records))
        assert receipt.hash == hash_of(records)
        assert receipt.last_offset == records[-1].offset
        return receipt, records, list(decoded(records, registry.url))

    return run


def is_left_out(row: Row) -> bool:
    """An empty bar, or a quote at an interval with nothing on either side."""
    return row["volume"] == row["count"] == 0 if "volume" in row else is_empty(row)


@pytest.mark.parametrize(
    ("kind", "interval"),
    [
        ("ohlcv", "1m"),
        ("quote", None),
        ("quote", "1m"),
        ("trade", None),
        ("tradequote", None),
        ("eod", None),
        ("openinterest", None),
        ("greeksfirst", "1m"),
        ("greeksall", "5m"),
        ("iv", "10m"),
        ("greekseod", None),
        ("tradegreeks", None),
    ],
)
def test_a_topic_has_the_vendors_rows_in_the_markets_order(
    fill: Fill, registry: Registry, simulator: Simulator, kind: str, interval: str | None
) -> None:
    schema = kind + (interval or "")
    chain = KO if kind in ("eod", "greekseod") else XSP
    days = DAYS if kind in ("ohlcv", "quote", "trade") else DAYS[:1]
    receipt, records, values = fill(schema=schema, end=f"{days[-1]}", **chain.task)

    avro = schema_of(records, registry.url)
    sent = of_contracts(simulator, avro, kind, days, chain, **({"interval": interval} if interval else {}))
    kept = [row for row in sent if not (interval and kind in ("ohlcv", "quote") and is_left_out(row))]
    assert assert_same(values, kept) > 0
    assert receipt.empty_bars == len(sent) - len(kept)
    assert receipt.task_id.startswith(f"option-{chain.root.lower()}-{schema}-historical-")
    assert receipt.record == f"io.stoculus.{RECORDS['option'][kind]}" == f"{avro['namespace']}.{avro['name']}"  # type: ignore[index]
    assert [record.key for record in records] == [row["symbol"].encode() for row in values]
    assert [record.time_ms for record in records] == [row["ts_event"].timestamp() * 1000 for row in values]


def of_contracts(
    simulator: Simulator, avro: dict[str, Any], kind: str, days: list[date], chain: Chain, **query: str
) -> list[Row]:
    """The rows of the expirations and strikes of the tests, asked for one by one."""
    answers = (
        vendor_csv.rows(
            simulator, avro, kind, days, symbol=chain.root, expiration=expiration, strike=f"{strike}.000", **query
        )
        for expiration in chain.expirations
        for strike in chain.strikes
    )
    return sorted((row for answer in answers for row in answer), key=in_order)


@pytest.mark.parametrize("kind", ["quote", "trade", "openinterest"])
def test_all_expirations_at_once_come_in_the_same_order(
    fill: Fill, registry: Registry, simulator: Simulator, kind: str
) -> None:
    _, records, values = fill(schema=kind, expirations="all", strikes={"around_spot": 1}, end=f"{DAYS[0]}")

    avro = schema_of(records, registry.url)
    sent = vendor_csv.rows(simulator, avro, kind, DAYS[:1], symbol="XSP", expiration="*", strike_range="1")
    assert_same(values, sent)
    assert len({row["expiration"] for row in values}) > 5
    assert kind == "trade" or len(values) > len({row["ts_event"] for row in values}), "no tie"


def test_quotes_that_are_empty_are_kept_where_that_is_asked_for(
    fill: Fill, registry: Registry, simulator: Simulator
) -> None:
    receipt, records, values = fill(schema="quote1m", keep_empty_bars=True, end=f"{DAYS[0]}", **XSP.task)

    avro = schema_of(records, registry.url)
    assert_same(values, of_contracts(simulator, avro, "quote", DAYS[:1], XSP, interval="1m"))
    assert receipt.empty_bars == 0
    assert any(map(is_empty, values))


def test_bars_that_are_empty_are_kept_where_that_is_asked_for(fill: Fill) -> None:
    some = {"expirations": XSP.expirations[:1], "strikes": [470], "right": "put", "end": f"{DAYS[0]}"}
    receipt, records, _ = fill(keep_empty_bars=True, **some)

    assert (len(records), receipt.empty_bars) == (406, 0)


def test_days_to_expiration_are_counted_from_each_day(fill: Fill) -> None:
    _, _, values = fill(schema="ohlcv1h", expirations={"dte": {"min": 1, "max": 2}})

    assert {(row["ts_event"].date(), row["expiration"]) for row in values} == {
        (DAYS[0], date(2024, 1, 4)),
        (DAYS[0], date(2024, 1, 5)),
        (DAYS[1], date(2024, 1, 5)),
    }


def test_the_receipt_says_how_the_vendor_was_asked(fill: Fill) -> None:
    receipt, _, _ = fill(schema="tradequote", expirations=XSP.expirations[:1], strikes=[470], end=f"{DAYS[0]}")

    assert receipt.request is not None
    assert receipt.request.path == "option/history/trade_quote"
    assert receipt.request.params == {"symbol": "XSP", "exclusive": "false", "format": "csv"}
    assert (receipt.symbol, receipt.schema_name, receipt.chunks_done, receipt.chunk) == ("XSP", "tradequote", 1, None)


def test_contracts_that_are_named_are_the_only_ones(fill: Fill) -> None:
    contracts = ["XSP240105C00470000", "XSP   240105P00472000", "XSP   240112C00471000"]
    _, _, values = fill(schema="trade", contracts=contracts)

    assert {row["symbol"] for row in values} == {f"XSP   {symbol[-15:]}" for symbol in contracts}


def test_a_root_that_is_unknown_fails_the_task(
    option_service: Service, checkpoints: Checkpoints, backtest_id: str
) -> None:
    task = {"backtest_id": backtest_id, "root": "NOSUCH", "expirations": "all"}
    task_id = option_service.start_task(task | {"start": f"{DAYS[0]}", "end": f"{DAYS[0]}"})

    now = checkpoints.failed(task_id, "invalid_request")
    assert now.failure is not None
    assert "NOSUCH" in now.failure.message
