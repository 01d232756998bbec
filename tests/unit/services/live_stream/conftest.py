"""The vendor's table of trade conditions."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def theta_conditions(recordings: Path) -> Path:
    """A CSV: code, name, and what a trade of the condition updates."""
    return recordings.parent / "theta-reference" / "trade-conditions.csv"
