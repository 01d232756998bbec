"""`make demo`: the whole suite at work. A backtest of two tickers, and two consumer groups that read it in parallel.

With KEEP=1 in the environment the stack is left running.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from local.registry import url as registry_url
from local.stack import Stack
from stoculus.calendar import NEW_YORK
from stoculus.cli.client import Coordinator
from stoculus.cli.output import print_error, print_table
from stoculus.cli.watch import report, watch
from stoculus.errors import StoculusError
from stoculus.reading.decoding import Decoder
from stoculus.reading.group import read_group
from stoculus.settings import LocalSettings

SYMBOLS: Final = ["AAPL", "MSFT"]
START: Final = "2024-01-02"
END: Final = "2024-01-05"
FIVE_MINUTES_US: Final = 300_000_000
SHOWN_ROWS: Final = 5


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the programs of the stack are."""

    kafka: str
    registry: str
    coordinator: str


def vwap_per_five_minutes(trades: pa.Table) -> pa.Table:
    """Group A: columns symbol, bucket (UTC), vwap (USD), from trades of several symbols, in order of time."""
    micros = trades["ts_event"].cast(pa.int64())
    bucket = pc.multiply(pc.divide(micros, FIVE_MINUTES_US), FIVE_MINUTES_US).cast(pa.timestamp("us", "UTC"))
    value = pc.multiply(trades["price"], pc.cast(trades["size"], pa.float64()))
    table = pa.table({"symbol": trades["symbol"], "bucket": bucket, "value": value, "size": trades["size"]})
    sums = table.group_by(["symbol", "bucket"]).aggregate([("value", "sum"), ("size", "sum")])
    traded = sums.filter(pc.greater(sums["size_sum"], pa.scalar(0)))
    vwap = pc.divide(traded["value_sum"], pc.cast(traded["size_sum"], pa.float64()))
    return traded.select(["symbol", "bucket"]).append_column("vwap", vwap).sort_by("bucket")


def group_a(at: Addresses, backtest_id: str, topics: list[str]) -> pa.Table:
    """Read the trades as one group."""
    batches = read_group(at.kafka, Decoder(at.registry), f"vwap-{backtest_id}", topics, until_end=True)
    return vwap_per_five_minutes(pa.Table.from_batches(batch for _, batch in batches))


def group_b(at: Addresses, backtest_id: str, topics: list[str]) -> dict[str, tuple[int, float | None]]:
    """Read every topic as another group: records, and of quotes the mean spread in USD."""
    counts = dict.fromkeys(topics, 0)
    spreads: dict[str, tuple[float, int]] = {}
    for topic, batch in read_group(at.kafka, Decoder(at.registry), f"spread-{backtest_id}", topics, until_end=True):
        counts[topic] += batch.num_rows
        if "bid" in batch.schema.names:
            bid, ask = batch["bid"].to_numpy(), batch["ask"].to_numpy()
            both = (bid > 0) & (ask > 0)
            total, seen = spreads.get(topic, (0.0, 0))
            spreads[topic] = (total + float((ask - bid)[both].sum()), seen + int(both.sum()))
    means = {topic: total / seen for topic, (total, seen) in spreads.items() if seen}
    return {topic: (count, means.get(topic)) for topic, count in counts.items()}


def run(at: Addresses, console: Console, *, keep: bool) -> bool:
    """Submit, watch, read by two groups at once, compare with the receipt; whether all agrees."""
    console.rule("A backtest: two tickers; bars, trades and quotes of four days")
    data = [{"asset": "stock", "symbols": SYMBOLS, "schema": schema} for schema in ("ohlcv", "trade", "quote")]
    coordinator = Coordinator(at.coordinator)
    answer = coordinator.ask("POST", "", {"start": START, "end": END, "data": data})
    backtest_id, topics = answer["backtest_id"], answer["topics"]
    report(watch(coordinator.snapshots(backtest_id), console), console)

    console.rule("Two consumer groups read the same topics in parallel")
    with ThreadPoolExecutor(2) as threads:
        vwaps = threads.submit(group_a, at, backtest_id, [topic for topic in topics if "-trade-" in topic])
        counts = threads.submit(group_b, at, backtest_id, topics)
        _show_vwap(vwaps.result())
        receipt = coordinator.ask("GET", f"/{backtest_id}/receipt")
        agrees = _show_counts(counts.result(), receipt)
    _say_what_next(console, backtest_id, topics[0], keep=keep)
    return agrees


def _show_vwap(vwaps: pa.Table) -> None:
    by_time: dict[Any, dict[str, float]] = {}
    for row in vwaps.to_pylist():
        by_time.setdefault(row["bucket"].astimezone(NEW_YORK), {})[row["symbol"]] = row["vwap"]
    rows = [
        (f"{at:%Y-%m-%d %H:%M}", *(f"{prices[symbol]:.4f}" if symbol in prices else "" for symbol in SYMBOLS))
        for at, prices in by_time.items()
    ]
    if len(rows) > 2 * SHOWN_ROWS:
        rows = [*rows[:SHOWN_ROWS], ("…", *("…" for _ in SYMBOLS)), *rows[-SHOWN_ROWS:]]
    title = f"Group A: VWAP per five minutes ({len(by_time)} of them), USD"
    print_table(("New York", *(f">{symbol}" for symbol in SYMBOLS)), rows, title=title)


def _show_counts(counts: dict[str, tuple[int, float | None]], receipt: dict[str, Any]) -> bool:
    written = {each["task_id"]: each["records"] for each in receipt["receipts"]}
    rows = [
        (
            topic,
            f"{count:,}",
            f"{written[topic]:,}",
            "✓" if count == written[topic] else "✗",
            "" if spread is None else f"{spread:.4f}",
        )
        for topic, (count, spread) in counts.items()
    ]
    title = "\nGroup B: records and mean spread"
    print_table(("topic", ">records read", ">receipt", "", ">mean spread, USD"), rows, title=title)
    return all(count == written[topic] for topic, (count, _) in counts.items())


def _say_what_next(console: Console, backtest_id: str, topic: str, *, keep: bool) -> None:
    console.rule("What to try next")
    start = () if keep else ("make local-up    # starts the stack again; what is written is still there",)
    lines = (
        *start,
        f".venv/bin/stoculus backtest receipt {backtest_id}",
        f".venv/bin/stoculus consume {topic} --from {START}T10:00 --limit 5",
        ".venv/bin/stoculus backtest submit --symbols SPY --schema quote --start 2024-01-02 --end 2024-01-05 --watch",
        "make local-down",
    )
    console.print("\n".join(lines), soft_wrap=True, highlight=False)


def _addresses(settings: LocalSettings) -> Addresses:
    return Addresses(
        kafka=f"127.0.0.1:{settings.kafka_port}",
        registry=registry_url(settings.registry_port),
        coordinator=f"http://127.0.0.1:{settings.coordinator_port}",
    )


def main() -> int:
    """Set the stack up, run, stop it again unless KEEP=1. Exit code 1 where something failed or did not agree."""
    console = Console()
    keep = os.environ.get("KEEP", "") not in ("", "0")
    try:
        settings = LocalSettings.load(os.environ)
        stack = Stack(settings, os.environ, lambda text: console.print(text, highlight=False))
        console.rule("The local stack: a real Kafka, a real schema registry, a simulated vendor")
        try:
            stack.up()
            agrees = run(_addresses(settings), console, keep=keep)
        finally:
            if not keep:
                console.rule("Stopping")
                stack.down()
    except StoculusError as error:
        print_error(error)
        return 1
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
