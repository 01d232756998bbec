"""`python -m tests.bench`: measure, print, write var/bench.json. QUICK=1: one round, without the memory row."""

import os
import sys

from rich.console import Console

from stoculus.errors import StoculusError
from tests.bench.machine import machine
from tests.bench.report import show, to_json
from tests.bench.rounds import measure
from tests.bench.stack import VAR, running


def main() -> int:
    """Exit code 0 whatever was measured: it depends on the machine, and is told."""
    console = Console(highlight=False)
    try:
        with running(console.print) as bench:
            described = machine(bench.artifacts.kafka)
            comparisons, figures = measure(bench, quick=os.environ.get("QUICK") == "1")
    except StoculusError as error:
        console.print(f"{error}")
        return 1
    show(described, comparisons, figures)
    report = VAR / "bench.json"
    report.write_bytes(to_json(described, comparisons, figures))
    console.print(f"Written to {os.path.relpath(report)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
