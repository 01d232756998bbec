"""`python -m tests.bench`: measure, print, write var/bench.json. QUICK=1: one short round, without the memory row.

`python -m tests.bench live` measures the live part alone; what var/bench.json has of the rest stays.
"""

import os
import sys

from rich.console import Console

from stoculus.errors import StoculusError
from tests.bench.live.measure import measure_live
from tests.bench.machine import machine
from tests.bench.report import merged, show, to_json
from tests.bench.rounds import measure
from tests.bench.stack import VAR, running


def main() -> int:
    """Exit code 0 whatever was measured: it depends on the machine, and is told."""
    console = Console(highlight=False)
    quick, live_only = os.environ.get("QUICK") == "1", sys.argv[1:] == ["live"]
    try:
        with running(console.print) as bench:
            described = machine(bench.artifacts.kafka, bench.broker_pid)
            comparisons, figures = ([], []) if live_only else measure(bench, quick=quick)
            live_comparisons, live_figures = measure_live(bench, quick=quick)
    except StoculusError as error:
        console.print(f"{error}")
        return 1
    comparisons, figures = comparisons + live_comparisons, figures + live_figures
    show(described, comparisons, figures)
    report = VAR / "bench.json"
    found = to_json(described, comparisons, figures)
    report.write_bytes(merged(report.read_bytes(), found) if live_only and report.exists() else found)
    console.print(f"Written to {os.path.relpath(report)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
