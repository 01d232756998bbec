"""Options: the client on the simulator, synthetic and answering from recordings."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, get_args

import httpx2
import pyarrow as pa
import pytest

from simulator.testing import running_simulator
from stoculus.errors import NoData, TierTooLow, VendorRefused
from stoculus.instruments import OptionContract
from tests.integration.theta_client.conftest import QUICK, break_it, table
from theta_client.client import (
    WILDCARD_KINDS,
    Block,
    OptionKind,
    OptionRequest,
    ThetaClient,
    plan_option_windows,
)

DAY, EXPIRATION = date(2024, 1, 3), date(2024, 1, 5)
HALF_DAY = date(2015, 12, 24)
CODE = pa.dictionary(pa.int32(), pa.string())
CONTRACT = [("symbol", CODE), ("expiration", pa.date32()), ("strike", pa.float64()), ("right", CODE)]


def schema(times: str = "timestamp", floats: str = "", integers: str = "") -> pa.Schema:
    columns = [
        *CONTRACT,
        *((name, pa.timestamp("us")) for name in times.split()),
        *((name, pa.float64()) for name in floats.split()),
        *((name, pa.int64()) for name in integers.split()),
    ]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


FIRST_ORDER = "delta theta vega rho epsilon lambda implied_vol iv_error underlying_price"
ALL = f"{FIRST_ORDER} gamma vanna charm vomma veta vera speed zomma color ultima d1 d2 dual_delta dual_gamma"
BAR = "open high low close"
TRADE = "sequence ext_condition1 condition size exchange"
QUOTE = "bid_size bid_exchange bid_condition ask_size ask_exchange ask_condition"
GREEK_TIMES = "timestamp underlying_timestamp"
COLUMNS: dict[OptionKind, pa.Schema] = {
    "eod": schema("created last_trade", f"{BAR} bid ask", f"volume count {QUOTE}"),
    "ohlc": schema(floats=f"{BAR} vwap", integers="volume count"),
    "quote": schema(floats="bid ask", integers=QUOTE),
    "trade": schema(floats="price", integers=TRADE),
    "trade_quote": schema("trade_timestamp quote_timestamp", "price bid ask", f"{TRADE} {QUOTE}"),
    "open_interest": schema(integers="open_interest"),
    "greeks/first_order": schema(GREEK_TIMES, f"bid ask {FIRST_ORDER}"),
    "greeks/all": schema(GREEK_TIMES, f"bid ask {ALL}"),
    "greeks/implied_volatility": schema(
        GREEK_TIMES, "bid bid_implied_vol midpoint implied_vol ask ask_implied_vol iv_error underlying_price"
    ),
    "greeks/eod": schema(GREEK_TIMES, f"{BAR} bid ask {ALL}", f"volume count {QUOTE}"),
    "trade_greeks/all": schema(GREEK_TIMES, f"price {ALL}", TRADE),
}
GRIDS = ("ohlc", "quote", "greeks/first_order", "greeks/all", "greeks/implied_volatility")


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    with running_simulator() as url:
        yield url


@pytest.fixture(scope="module")
def player(recordings: Path) -> Iterator[str]:
    with running_simulator(sim_recordings=recordings) as url:
        yield url


@pytest.fixture
def recorded(player: str) -> Iterator[ThetaClient]:
    with ThetaClient(player, "pro", budgets=QUICK) as theta:
        yield theta


@pytest.fixture
def client(simulator: str) -> Iterator[ThetaClient]:
    with ThetaClient(simulator, "pro", budgets=QUICK) as theta:
        yield theta
    httpx2.delete(f"{simulator}/__faults")


def chain(
    kind: OptionKind, expiration: date | None = EXPIRATION, root: str = "AAPL", day: date = DAY, **more: Any
) -> OptionRequest:
    [window] = plan_option_windows(kind, root, day, day, "regular", by_day=True)
    return OptionRequest(kind, root, window, expiration, interval="5m" if kind in GRIDS else None, **more)


def read(client: ThetaClient, request: OptionRequest) -> list[Block]:
    return list(client.history(request, COLUMNS[request.kind], block_bytes=1 << 18, aborted=threading.Event()))


def by_contract(blocks: list[Block]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    """The rows of each contract in the order in which they came."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table(blocks).to_pylist():
        found.setdefault((row["expiration"], row["strike"], row["right"]), []).append(row)
    return found


@pytest.mark.parametrize("kind", get_args(OptionKind))
def test_every_kind_gives_each_contract_in_time_order_inside_its_session(client: ThetaClient, kind: OptionKind) -> None:
    blocks = read(client, chain(kind, strike_range=3))
    assert [bad for block in blocks for bad in block.bad_rows] == []
    rows = by_contract(blocks)
    assert {contract[0] for contract in rows} == {EXPIRATION}
    assert {contract[2] for contract in rows} == {"CALL", "PUT"}
    assert len({contract[1] for contract in rows}) in (6, 7)  # three below and above the spot, and one at it
    for each in rows.values():
        times: list[datetime] = [row[COLUMNS[kind].names[len(CONTRACT)]] for row in each]
        assert times == sorted(times)
        assert {moment.date() for moment in times} == {DAY}
        if kind not in ("eod", "greeks/eod", "open_interest"):
            assert all(time(9, 30) <= moment.time() <= time(16) for moment in times)
        if kind in GRIDS:
            assert len(times) == 79


@pytest.mark.parametrize("kind", sorted(WILDCARD_KINDS))
def test_all_expirations_near_a_day_come_at_once(client: ThetaClient, kind: OptionKind) -> None:
    request = replace(chain(kind, None, max_dte=10, strike_range=1), interval="1h" if kind == "quote" else None)
    expirations = {contract[0] for contract in by_contract(read(client, request))}
    assert expirations == {day for day in client.option_expirations("AAPL") if 0 <= (day - DAY).days <= 10}


@pytest.mark.parametrize("kind", sorted(set(get_args(OptionKind)) - WILDCARD_KINDS))
def test_what_needs_an_expiration_is_refused_without(client: ThetaClient, kind: OptionKind) -> None:
    with pytest.raises(VendorRefused, match=rf"400 .* option/history/{kind} AAPL \* \* both 5m 2024-01-03"):
        read(client, chain(kind, None))


@pytest.mark.parametrize("kind", get_args(OptionKind))
def test_a_chain_too_large_gives_the_same_rows_of_each_contract_in_parts(
    client: ThetaClient, simulator: str, kind: OptionKind
) -> None:
    request = chain(kind, strike_range=3)
    whole = read(client, request)
    times = 1 if kind in ("ohlc", "eod", "greeks/eod", "open_interest") else 4  # those are not halved by time
    break_it(simulator, f"option/history/{kind}", {"kind": "status", "status": 570}, times=times)
    parts = read(client, request)
    assert httpx2.get(f"{simulator}/__faults").json()[0]["fired"] == times
    assert by_contract(parts) == by_contract(whole)
    assert [line for block in parts for line in block.lines.to_pylist()] == list(range(2, table(whole).num_rows + 2))


def test_a_year_of_reports_of_a_contract_comes_at_once(client: ThetaClient) -> None:
    [window] = plan_option_windows("greeks/eod", "AAPL", date(2023, 1, 9), date(2024, 1, 5), "regular", by_day=False)
    expiration = date(2024, 1, 19)
    strike = client.option_strikes("AAPL", expiration)[0]
    request = OptionRequest("greeks/eod", "AAPL", window, expiration, strike, "call")
    [rows] = by_contract(read(client, request)).values()
    days = [row["timestamp"].date() for row in rows]
    assert days == sorted(set(days))
    assert set(days) <= set(window.days)
    assert len(days) > 10


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
    request = chain("greeks/all", strike_range=1)
    whole = table(read(client, request)).to_pylist()
    break_it(simulator, request.path, {"kind": kind, "row": 3, "column": "vanna"})
    blocks = read(client, request)
    assert [(bad.line, bool(bad.cause)) for block in blocks for bad in block.bad_rows] == [(4, True)]
    assert table(blocks).to_pylist() == whole[:2] + whole[3:]


def test_lists_agree_and_hold_nothing_impossible(client: ThetaClient) -> None:
    assert {"AAPL", "SPX", "SPXW"} <= client.option_roots()
    contracts = client.option_contracts("quote", "AAPL", DAY)
    assert contracts == sorted(contracts)
    expirations = client.option_expirations("AAPL")
    assert {contract.expiration for contract in contracts} <= set(expirations)
    assert {day.year for day in expirations} <= set(range(2012, 2040))
    strikes = {contract.strike_thousandths for contract in contracts if contract.expiration == EXPIRATION}
    assert strikes <= set(client.option_strikes("AAPL", EXPIRATION))
    near = client.option_contracts("quote", "AAPL", DAY, max_dte=7)
    assert near == [contract for contract in contracts if (contract.expiration - DAY).days <= 7]
    assert DAY in client.option_dates("quote", "AAPL", EXPIRATION)


@pytest.mark.parametrize(("tier", "kind", "needed"), [("free", "quote", "value"), ("value", "greeks/all", "pro")])
def test_a_tier_too_low_is_named_with_the_request(tier: str, kind: OptionKind, needed: str) -> None:
    with running_simulator(sim_tier=tier) as url, ThetaClient(url, "pro") as client:
        request = rf"option/history/{kind} AAPL 2024-01-05 \* both 5m 2024-01-03"
        with pytest.raises(TierTooLow, match=rf"tier \({tier}\) may not read {request}; needed: {needed}"):
            read(client, chain(kind))
        assert client.tier == tier


@pytest.mark.recordings
@pytest.mark.parametrize(("root", "last"), [("GOOG", time(13)), ("SPXW", time(16, 15))])
def test_a_recorded_chain_comes_whole_until_the_close_of_its_root(recorded: ThetaClient, root: str, last: time) -> None:
    day = HALF_DAY if root == "GOOG" else date(2021, 1, 6)
    rows = by_contract(read(recorded, replace(chain("quote", None, root, day), interval="15m")))
    listed = recorded.option_contracts("quote", root, day)
    assert {(contract.expiration, contract.strike, contract.right.upper()) for contract in listed} == set(rows)
    for each in rows.values():
        times: list[datetime] = [row["timestamp"] for row in each]
        assert times == sorted(times)
        assert (times[0].time(), times[-1].time()) == (time(9, 30), last)


@pytest.mark.recordings
def test_a_recorded_contract_is_its_part_of_the_chain(recorded: ThetaClient) -> None:
    whole = chain("open_interest", None, "AAPL", date(2014, 6, 9))
    contract = OptionContract("AAPL", date(2015, 1, 17), 1_000_000, "call")
    key = contract.expiration, contract.strike, "CALL"
    alone = replace(
        whole, expiration=contract.expiration, strike_thousandths=contract.strike_thousandths, right=contract.right
    )
    assert by_contract(read(recorded, alone)) == {key: by_contract(read(recorded, whole))[key]}


@pytest.mark.recordings
def test_the_wrong_root_of_an_index_is_no_data_with_the_vendors_note(recorded: ThetaClient) -> None:
    with pytest.raises(NoData, match="Index options have special symbols"):
        read(recorded, chain("quote", None, "SPX", date(2021, 1, 6)))
