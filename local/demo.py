"""`make demo`: the whole suite at work. A backtest of two stocks and a chain, then their live tape; two consumer groups
read each.

With KEEP=1 in the environment the stack is left running.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pyarrow as pa
from rich.console import Console

from local.addresses import Addresses, addresses
from local.groups import CHAIN_AT, Straddle, group_a, group_b
from local.live_demo import run_live
from local.stack import Stack
from stoculus.calendar import NEW_YORK
from stoculus.cli.client import Coordinator
from stoculus.cli.output import print_error, print_table
from stoculus.cli.watch import report, watch
from stoculus.errors import StoculusError
from stoculus.settings import ClientSettings, LocalSettings

SYMBOLS: Final = ["AAPL", "MSFT"]
START: Final = "2024-01-02"
END: Final = "2024-01-05"
EXPIRATION: Final = "2024-01-05"
CHAIN: Final = {
    "asset": "option",
    "root": "SPXW",
    "schema": "quote",
    "interval": "1m",
    "expirations": [EXPIRATION],
    "strikes": {"min": 4600, "max": 4800},
}
SHOWN_ROWS: Final = 5


def run(at: Addresses, console: Console) -> tuple[str, list[str], bool]:
    """Submit, watch, read by two groups at once, compare with the receipt; id, topics, and whether all agrees."""
    console.rule("A backtest: two stocks and a chain of options, four days")
    data = [{"asset": "stock", "symbols": SYMBOLS, "schema": schema} for schema in ("ohlcv", "trade", "quote")]
    coordinator = Coordinator(at.coordinator, api_key=at.api_key)
    answer = coordinator.ask("POST", "", {"start": START, "end": END, "data": [*data, CHAIN]})
    backtest_id, topics = answer["backtest_id"], answer["topics"]
    report(watch(coordinator.snapshots(backtest_id), console), console)

    console.rule("Two consumer groups read the same topics in parallel")
    with ThreadPoolExecutor(2) as threads:
        of_a = [topic for topic in topics if "-trade-" in topic or topic.startswith("option-")]
        calculated = threads.submit(group_a, at.connections, f"vwap-{backtest_id}", of_a)
        counts = threads.submit(group_b, at.connections, f"spread-{backtest_id}", topics)
        vwaps, chain = calculated.result()
        _show_vwap(vwaps)
        _show_chain(chain)
        receipt = coordinator.ask("GET", f"/{backtest_id}/receipt")
        agrees = _show_counts(counts.result(), receipt)
    return backtest_id, topics, agrees


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


def _show_chain(chain: list[Straddle]) -> None:
    nearest = min(range(len(chain)), key=lambda n: abs(chain[n].call - chain[n].put))
    rows = [
        tuple(f"{dollars:,.2f}" for dollars in (each.strike, each.call, each.put, each.forward))
        for each in chain[max(0, nearest - 3) : nearest + 4]
    ]
    title = f"\nGroup A: the SPXW chain of {EXPIRATION} on {CHAIN_AT:%Y-%m-%d at %H:%M}, around the money, USD"
    print_table((">strike", ">call", ">put", ">implied forward"), rows, title=title)


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


def _say_what_next(console: Console, backtest_id: str, topics: list[str], *, keep: bool) -> None:
    console.rule("What to try next")
    start = () if keep else ("make local-up    # starts the stack again; what is written is still there",)
    lines = (
        *start,
        f".venv/bin/stoculus backtest receipt {backtest_id}",
        f".venv/bin/stoculus consume {topics[0]} --from {START}T10:00 --limit 5",
        f".venv/bin/stoculus consume {topics[-1]} --from {START}T10:00 --limit 5",
        ".venv/bin/stoculus backtest submit --symbols SPY --schema quote --start 2024-01-02 --end 2024-01-05 --watch",
        ".venv/bin/stoculus backtest submit --root SPXW --dte 0 --around-spot 10 --schema greeksfirst "
        f"--start {START} --watch",
        ".venv/bin/stoculus stream start --symbols SPY --schema quote --id spy",
        ".venv/bin/stoculus tape stock-spy-quote-live --latency",
        ".venv/bin/stoculus stream stop spy",
        "make local-down",
    )
    console.print("\n".join(lines), soft_wrap=True, highlight=False)


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
            at = addresses(settings, ClientSettings.load(os.environ).api_key)
            backtest_id, topics, agrees = run(at, console)
            if stack.is_simulated:
                agrees = run_live(at, console, stack.live_day) and agrees
            _say_what_next(console, backtest_id, topics, keep=keep)
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
