"""The day that the simulator plays: each start plays the next one, so that time never goes back on live topics."""

import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from stoculus.calendar import is_trading_day

FIRST: Final = date(2024, 1, 8)
"""The Monday after the days that the demo and the README ask for as history."""


def played_day(var: Path) -> date:
    """The day of the simulator that runs, or ran last."""
    try:
        return date.fromisoformat(_file(var).read_text().strip())
    except FileNotFoundError:
        return FIRST


def turn_over(var: Path) -> None:
    """Play the next trading day from the next start on; the first start plays FIRST."""
    day = FIRST
    if _file(var).exists():
        day = played_day(var) + timedelta(days=1)
        while not is_trading_day(day):
            day += timedelta(days=1)
    _file(var).write_text(f"{day}\n")


def _file(var: Path) -> Path:
    return var / "played-day"


def main() -> None:
    """`python -m local.played_day FOLDER`: turn over, and print the day."""
    var = Path(sys.argv[1])
    turn_over(var)
    sys.stdout.write(f"{played_day(var)}\n")


if __name__ == "__main__":
    main()
