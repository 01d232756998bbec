"""`python -m tests.bench`: measure, print, write var/bench.json. QUICK=1: one short round, without the memory row.

`python -m tests.bench reading` (or `history`, `live`) measures that part alone; what var/bench.json has of the rest
stays.
"""

import os
import sys
from typing import Final, Protocol

from rich.console import Console

from stoculus.errors import StoculusError
from tests.bench.live.measure import measure_live
from tests.bench.machine import machine
from tests.bench.reading.measure import measure_reading
from tests.bench.report import Comparison, Figure, merged, show, to_json
from tests.bench.rounds import measure
from tests.bench.stack import VAR, Bench, running


class Measure(Protocol):
    """Measures a part of the suite."""

    def __call__(self, bench: Bench, *, quick: bool) -> tuple[list[Comparison], list[Figure]]: ...


PARTS: Final[dict[str, Measure]] = {"history": measure, "reading": measure_reading, "live": measure_live}


def main() -> int:
    """Exit code 0 whatever was measured: it depends on the machine, and is told."""
    console = Console(highlight=False)
    quick = os.environ.get("QUICK") == "1"
    if unknown := set(sys.argv[1:]) - PARTS.keys():
        console.print(f"{unknown.pop()} is no part of the bench: {', '.join(PARTS)}.")
        return 2
    parts = sys.argv[1:] or list(PARTS)
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    try:
        with running(console.print) as bench:
            described = machine(bench.artifacts.kafka, bench.broker_pid)
            for part in parts:
                compared, told = PARTS[part](bench, quick=quick)
                comparisons, figures = comparisons + compared, figures + told
    except StoculusError as error:
        console.print(f"{error}")
        return 1
    show(described, comparisons, figures)
    report = VAR / "bench.json"
    found = to_json(described, comparisons, figures)
    report.write_bytes(merged(report.read_bytes(), found) if len(parts) < len(PARTS) and report.exists() else found)
    console.print(f"Written to {os.path.relpath(report)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
