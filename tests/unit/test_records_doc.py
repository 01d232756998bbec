"""The table of docs/records.md says what the catalog and the planners say."""

from typing import Final

from services.historical_option.plan import FIRST_TIER as OPTION_TIER
from services.historical_stock.plan import FIRST_TIER as STOCK_TIER
from stoculus.records.catalog import ALWAYS_ON_GRID, INTERVAL_US, RECORDS, Asset, parse_schema
from tests.conftest import CHECKOUT
from theta_client.client import Tier

DOC: Final = (CHECKOUT / "docs" / "records.md").read_text()
TABLE: Final = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in DOC.splitlines()
    if line.startswith("| `") and line.count("|") == 8
]


def test_every_schema_of_both_assets_has_its_row() -> None:
    assert {row[0]: row[2] for row in TABLE if row[2]} == RECORDS["stock"]
    assert {row[0]: row[3] for row in TABLE if row[3]} == RECORDS["option"]


def test_intervals_tiers_and_times_are_those_of_the_programs() -> None:
    for kind, interval, stock, _, tier, _, available_at in TABLE:
        asset: Asset = "stock" if stock else "option"
        schema = parse_schema(kind, asset=asset)
        needed = {"stock": STOCK_TIER, "option": OPTION_TIER}[asset].get(schema.kind, Tier.STANDARD)
        assert tier.split(";")[0] == needed.value, kind
        assert interval.startswith("yes") == (schema.kind in ALWAYS_ON_GRID), kind
        assert available_at.startswith(schema.available_column), kind
        assert ("+ interval" in available_at) == bool(schema.delay_us), kind


def test_the_intervals_are_all_named() -> None:
    assert f"Intervals: {', '.join(f'`{interval}`' for interval in INTERVAL_US)}." in DOC
