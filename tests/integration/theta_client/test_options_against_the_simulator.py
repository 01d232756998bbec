"""Options: the client on the simulator that answers from recordings."""

import threading
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import httpx2
import pyarrow as pa
import pytest

from simulator.testing import running_simulator
from stoculus.errors import NoData, TierTooLow, VendorRefused
from stoculus.instruments import OptionContract
from tests.integration.theta_client.conftest import QUICK, break_it, table
from theta_client.client import Block, OptionRequest, ThetaClient, plan_option_windows

pytestmark = pytest.mark.recordings

HALF_DAY = date(2015, 12, 24)
EXPIRATION = date(2016, 1, 15)
CODE = pa.dictionary(pa.int32(), pa.string())
CONTRACT = [("symbol", CODE), ("expiration", pa.date32()), ("strike", pa.float64()), ("right", CODE)]
TIME = ("timestamp", pa.timestamp("us"))


def schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in (*CONTRACT, *columns)])


COLUMNS = {
    "ohlc": schema(TIME, ("open", pa.float64()), ("volume", pa.int64()), ("vwap", pa.float64())),
    "quote": schema(TIME, ("bid_size", pa.int64()), ("bid", pa.float64()), ("ask", pa.float64())),
    "open_interest": schema(TIME, ("open_interest", pa.int64())),
}


@pytest.fixture(scope="module")
def simulator(recordings: Path) -> Iterator[str]:
    with running_simulator(sim_recordings=recordings) as url:
        yield url


@pytest.fixture
def client(simulator: str) -> Iterator[ThetaClient]:
    with ThetaClient(simulator, "pro", budgets=QUICK) as theta:
        yield theta
    httpx2.delete(f"{simulator}/__faults")


def chain(kind: str, expiration: date | None = EXPIRATION, root: str = "GOOG", day: date = HALF_DAY) -> OptionRequest:
    [window] = plan_option_windows(kind, root, day, day, "regular", by_day=True)  # type: ignore[arg-type]
    interval = None if kind == "open_interest" else "5m"
    return OptionRequest(kind, root, window, expiration, interval=interval)  # type: ignore[arg-type]


def read(client: ThetaClient, request: OptionRequest) -> list[Block]:
    return list(client.history(request, COLUMNS[request.kind], block_bytes=1 << 18, aborted=threading.Event()))


def by_contract(blocks: list[Block]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """The rows of each contract in the order in which they came."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table(blocks).to_pylist():
        found.setdefault((row["expiration"], row["strike"], row["right"]), []).append(row)
    return found


@pytest.mark.parametrize(("root", "last"), [("GOOG", time(13)), ("SPXW", time(16, 15))])
def test_a_chain_of_a_day_comes_whole_until_the_close_of_its_root(client: ThetaClient, root: str, last: time) -> None:
    day = HALF_DAY if root == "GOOG" else date(2021, 1, 6)
    rows = by_contract(read(client, chain("quote", None, root, day)))
    listed = client.option_contracts("quote", root, day)
    assert {(contract.expiration, contract.strike, contract.right.upper()) for contract in listed} == set(rows)
    for each in rows.values():
        times: list[datetime] = [row["timestamp"] for row in each]
        assert times == sorted(times)
        assert (times[0].time(), times[-1].time()) == (time(9, 30), last)


def test_lists_agree(client: ThetaClient) -> None:
    assert {"AAPL", "GOOG", "SPX", "SPXW"} <= client.option_roots()
    contracts = client.option_contracts("quote", "GOOG", HALF_DAY)
    assert contracts == sorted(contracts)
    assert {contract.expiration for contract in contracts} <= set(client.option_expirations("GOOG"))
    strikes = {contract.strike_thousandths for contract in contracts if contract.expiration == EXPIRATION}
    assert strikes <= set(client.option_strikes("GOOG", EXPIRATION))
    near = client.option_contracts("quote", "GOOG", HALF_DAY, max_dte=7)
    assert near == [contract for contract in contracts if (contract.expiration - HALF_DAY).days <= 7]
    assert HALF_DAY in client.option_dates("quote", "GOOG", EXPIRATION)


def test_one_contract_is_its_part_of_the_chain(client: ThetaClient) -> None:
    [window] = plan_option_windows("open_interest", "AAPL", date(2014, 6, 9), date(2014, 6, 9), "regular", by_day=True)
    whole = by_contract(read(client, OptionRequest("open_interest", "AAPL", window)))
    contract = OptionContract("AAPL", date(2015, 1, 17), 1_000_000, "call")
    alone = OptionRequest("open_interest", "AAPL", window, contract.expiration, contract.strike_thousandths, "call")
    key = contract.expiration, contract.strike, "CALL"
    assert by_contract(read(client, alone)) == {key: whole[key]}


@pytest.mark.parametrize("kind", ["quote", "ohlc", "open_interest"])
def test_a_chain_too_large_gives_the_same_rows_of_each_contract_in_parts(
    client: ThetaClient, simulator: str, kind: str
) -> None:
    whole = read(client, chain(kind))
    times = 3 if kind == "quote" else 1  # the others are not halved by time
    break_it(simulator, f"option/history/{kind}", {"kind": "status", "status": 570}, times=times)
    parts = read(client, chain(kind))
    assert httpx2.get(f"{simulator}/__faults").json()[0]["fired"] == times
    assert by_contract(parts) == by_contract(whole)
    assert [line for block in parts for line in block.lines.to_pylist()] == list(range(2, table(whole).num_rows + 2))


@pytest.mark.parametrize("dialect", [{"quoted": False}, {"trimmed_times": True}])
def test_the_dialect_of_another_build_reads_the_same(
    client: ThetaClient, simulator: str, dialect: dict[str, bool]
) -> None:
    whole = table(read(client, chain("quote"))).to_pylist()
    httpx2.post(f"{simulator}/__dialect", json=dialect).raise_for_status()
    try:
        assert table(read(client, chain("quote"))).to_pylist() == whole
    finally:
        httpx2.post(f"{simulator}/__dialect", json={})


@pytest.mark.parametrize("kind", ["drop_cell", "extra_cell", "nan", "non_utf8"])
def test_a_damaged_row_is_set_apart_and_the_rest_is_untouched(client: ThetaClient, simulator: str, kind: str) -> None:
    whole = table(read(client, chain("quote"))).to_pylist()
    break_it(simulator, "option/history/quote", {"kind": kind, "row": 3, "column": "bid"})
    blocks = read(client, chain("quote"))
    assert [(bad.line, bool(bad.cause)) for block in blocks for bad in block.bad_rows] == [(4, True)]
    assert table(blocks).to_pylist() == whole[:2] + whole[3:]


def test_bars_of_all_expirations_at_once_are_refused(client: ThetaClient) -> None:
    with pytest.raises(VendorRefused, match=r"400 .* option/history/ohlc GOOG \* \* both 5m 2015-12-24"):
        read(client, chain("ohlc", None))


def test_the_wrong_root_of_an_index_is_no_data_with_the_vendors_note(client: ThetaClient) -> None:
    with pytest.raises(NoData, match="Index options have special symbols"):
        read(client, chain("quote", None, "SPX", date(2021, 1, 6)))


def test_a_tier_too_low_is_named_with_the_request(recordings: Path) -> None:
    with running_simulator(sim_recordings=recordings, sim_tier="free") as url, ThetaClient(url, "pro") as client:
        with pytest.raises(TierTooLow, match=r"tier \(free\) may not read option/history/quote GOOG .*; needed: value"):
            read(client, chain("quote"))
        assert client.tier == "free"
