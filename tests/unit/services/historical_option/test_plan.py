"""Planning on a real client whose terminal is the simulator."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, datetime, time
from typing import Any

import httpx2
import pytest

from services.historical_option.plan import FIRST_TIER, OptionPlanner, requests_of, windows_of
from services.kit.chains import Chains
from services.kit.planning import first_tier
from simulator.testing import running_simulator
from stoculus.calendar import NEW_YORK
from stoculus.errors import InvalidRequest, TierTooLow, VendorUnreachable
from stoculus.records.catalog import parse_schema
from stoculus.tasks import OptionTask, TaskPlan
from theta_client.client import OptionRequest, ThetaClient, Tier

NOW = datetime(2024, 6, 3, 12, tzinfo=NEW_YORK)
DAY, FRIDAY = date(2024, 1, 3), date(2024, 1, 5)


def task(**changes: Any) -> OptionTask:
    body: dict[str, Any] = {"backtest_id": "1", "root": "SPXW", "start": "2024-01-03", "end": "2024-01-03"}
    body |= {"schema": "quote1m"}
    if "contracts" not in changes:
        body |= {"expirations": ["2024-01-05"]}
    return OptionTask.model_validate(body | changes)


@pytest.fixture(scope="module")
def simulator_url() -> Iterator[str]:
    with running_simulator() as url:
        yield url


@pytest.fixture(scope="module")
def of_tier(simulator_url: str) -> Iterator[Callable[[Tier], tuple[Chains, OptionPlanner]]]:
    with ExitStack() as stack:

        def make(tier: Tier) -> tuple[Chains, OptionPlanner]:
            client = stack.enter_context(ThetaClient(simulator_url, tier))
            chains = Chains(client, lambda: NOW)
            return chains, OptionPlanner(client, chains, lambda: NOW)

        yield make


@pytest.fixture(scope="module")
def chains(of_tier: Callable[[Tier], tuple[Chains, OptionPlanner]]) -> Chains:
    return of_tier(Tier.PRO)[0]


@pytest.fixture(scope="module")
def planner(of_tier: Callable[[Tier], tuple[Chains, OptionPlanner]]) -> OptionPlanner:
    return of_tier(Tier.PRO)[1]


def asked(chains: Chains, **changes: Any) -> list[OptionRequest]:
    """The requests of the task's first chunk."""
    one = task(**changes)
    return requests_of(one, windows_of(one)[0], chains)


class TestWindows:
    def test_options_are_a_trading_day_a_chunk_until_the_close_of_their_root(self) -> None:
        spxw = windows_of(task(start="2024-07-01", end="2024-07-05"))
        aapl = windows_of(task(root="AAPL", start="2024-07-01", end="2024-07-05"))

        assert [window.start.day for window in spxw] == [1, 2, 3, 5]
        assert [window.end_time for window in spxw] == [time(16, 15), time(16, 15), time(13, 15), time(16, 15)]
        assert [window.end_time for window in aapl] == [time(16), time(16), time(13), time(16)]

    def test_reports_of_named_contracts_are_a_year_a_chunk(self) -> None:
        year = {"schema": "eod", "start": "2023-01-03", "end": "2023-12-29"}

        assert len(windows_of(task(contracts=["SPXW  240105C04700000"], **year))) == 1
        assert len(windows_of(task(**year))) == 250


class TestRequests:
    def test_a_named_expiration_is_one_request_filtered_here(self, chains: Chains) -> None:
        [request] = asked(chains, strikes={"min": 4600, "max": 4800}, right="call")

        assert (request.expiration, request.strike_thousandths, request.right) == (FRIDAY, None, "call")
        assert (request.interval, request.kind, request.root) == ("1m", "quote", "SPXW")

    def test_few_strikes_are_asked_one_by_one(self, chains: Chains) -> None:
        requests = asked(chains, strikes=[4700, 4705])

        assert [request.strike_thousandths for request in requests] == [4_700_000, 4_705_000]

    def test_the_whole_chain_is_one_request_where_the_vendor_allows_it(self, chains: Chains) -> None:
        [request] = asked(chains, expirations="all")

        assert (request.expiration, request.max_dte) == (None, None)

    def test_the_whole_chain_of_bars_is_a_request_for_each_expiration_that_was_listed(self, chains: Chains) -> None:
        requests = asked(chains, expirations="all", schema="ohlcv")

        listed = {contract.expiration for contract in chains.contracts("SPXW", DAY)}
        assert {request.expiration for request in requests} == listed
        assert len(requests) == len(listed) < len([one for one in chains.expirations("SPXW") if one >= DAY])

    def test_near_expirations_are_the_vendors_max_dte(self, chains: Chains) -> None:
        [request] = asked(chains, expirations={"dte": {"min": 1, "max": 7}})
        bars = asked(chains, expirations={"dte": {"min": 1, "max": 7}}, schema="greeksall1m")

        assert (request.expiration, request.max_dte) == (None, 7)
        assert [request.max_dte for request in bars] == [None] * len(bars)
        assert all(request.expiration and 1 <= (request.expiration - DAY).days <= 7 for request in bars)

    def test_strikes_around_the_spot_are_the_vendors_to_pick(self, chains: Chains) -> None:
        [request] = asked(chains, strikes={"around_spot": 5})

        assert (request.strike_range, request.strike_thousandths) == (5, None)

    def test_named_contracts_are_asked_by_strike_with_both_rights_at_once(self, chains: Chains) -> None:
        osi = ["SPXW  240105C04700000", "SPXW  240105P04700000", "SPXW  240105P04710000", "SPXW  240104C04700000"]
        requests = asked(chains, contracts=osi)

        assert {(r.expiration, r.strike_thousandths, r.right) for r in requests} == {
            (date(2024, 1, 4), 4_700_000, "call"),
            (FRIDAY, 4_700_000, "both"),
            (FRIDAY, 4_710_000, "put"),
        }

    def test_many_contracts_of_an_expiration_are_asked_as_a_whole(self, chains: Chains) -> None:
        calls = [one.osi for one in chains.contracts("SPXW", DAY) if one.expiration == FRIDAY and one.right == "call"]
        [request] = asked(chains, contracts=calls, schema="eod")

        assert (request.expiration, request.strike_thousandths, request.right) == (FRIDAY, None, "call")

    def test_nothing_is_asked_before_listing_or_after_expiry(self, chains: Chains) -> None:
        assert asked(chains, start="2023-01-03", end="2023-01-03") == []
        assert asked(chains, start="2024-01-08", end="2024-01-08") == []
        assert asked(chains, contracts=["SPXW  240105C04700000"], start="2024-01-08", end="2024-01-08") == []
        assert asked(chains, start="2023-01-03", end="2023-01-03", schema="openinterest") == []

    @pytest.mark.parametrize("schema", ["ohlcv", "quote1m", "trade", "eod", "openinterest", "greeksfirst", "greekseod"])
    @pytest.mark.parametrize(
        "selection",
        [
            {"expirations": "all", "strikes": [4700]},
            {"expirations": {"min": "2024-01-04", "max": "2024-01-19"}},
            {"expirations": {"dte": {"max": 3}}, "strikes": {"min": 4690, "max": 4710}},
            {"expirations": ["2024-01-04", "2024-01-05", "2024-01-08"], "strikes": [4700, 4705, 4710], "right": "put"},
        ],
    )
    def test_each_wanted_contract_is_asked_for_once(
        self, chains: Chains, schema: str, selection: dict[str, Any]
    ) -> None:
        one = task(schema=schema, **selection)
        requests = requests_of(one, windows_of(one)[0], chains)

        for contract in (contract for contract in chains.contracts("SPXW", DAY) if one.has(contract, DAY)):
            found = [
                request
                for request in requests
                if request.expiration in (None, contract.expiration)
                and request.strike_thousandths in (None, contract.strike_thousandths)
                and request.right in ("both", contract.right)
                and (request.max_dte is None or (contract.expiration - DAY).days <= request.max_dte)
            ]
            assert len(found) == 1, contract


class TestPlans:
    def plan(self, planner: OptionPlanner, **changes: Any) -> TaskPlan:
        [plan] = planner.plan([task(**changes)])
        return plan

    def test_a_plan_tells_requests_rows_and_how_the_vendor_is_asked(self, planner: OptionPlanner) -> None:
        plan = self.plan(planner, start="2024-01-02", end="2024-01-05", strikes={"min": 4600, "max": 4800})

        assert plan.requests == 4
        assert plan.rows == 4 * 406 * 2 * 41
        assert plan.bytes > plan.rows
        assert plan.notes == [
            "Requests a day: 1, one for each expiration; other strikes of the answer are left out here."
        ]

    def test_a_whole_chain_is_told_as_such(self, planner: OptionPlanner) -> None:
        [note] = self.plan(planner, expirations="all").notes
        assert "all expirations at once" in note

    def test_a_long_backtest_is_planned_from_some_of_its_days(self, planner: OptionPlanner) -> None:
        plan = self.plan(planner, start="2023-06-01", end="2024-01-05", expirations={"dte": {"max": 2}}, schema="ohlcv")

        assert plan.requests > 150


class TestRefusals:
    @pytest.mark.parametrize(
        ("wrong", "field", "near"),
        [
            ({"root": "SPXX"}, "root", "SPXW"),
            ({"expirations": ["2024-01-05", "2024-01-06"]}, "expirations[1]", "2024-01-05"),
            ({"root": "SPX"}, "expirations[0]", "SPXW has one"),
            ({"strikes": [4700, 4701.5]}, "strikes[1]", "4700 and 4705"),
            ({"strikes": {"min": 4701, "max": 4704}}, "strikes", "4700 and 4705"),
            ({"contracts": ["SPXW  240105C04701000"], "expirations": None}, "contracts[0]", "4700"),
            ({"contracts": ["SPXW  240106C04700000"], "expirations": None}, "contracts[0]", "2024-01-05"),
            ({"expirations": ["2023-12-29"]}, "expirations", "later"),
            ({"expirations": {"min": "2040-01-01", "max": "2040-12-31"}}, "expirations", "Widen"),
            ({"end": "2024-01-02"}, "start", "Swap"),
        ],
    )
    def test_what_the_vendor_does_not_list_is_refused_with_what_it_does(
        self, planner: OptionPlanner, wrong: dict[str, Any], field: str, near: str
    ) -> None:
        with pytest.raises(InvalidRequest, match=r"\w") as caught:
            planner.plan([task(), task(**{k: v for k, v in wrong.items() if v is not None})])

        assert caught.value.field == f"tasks[1].{field}"
        assert near in caught.value.remedy

    @pytest.mark.parametrize(
        ("tier", "wrong", "field", "needed"),
        [
            (Tier.FREE, {"schema": "quote1m"}, "schema", "VALUE"),
            (Tier.VALUE, {"schema": "quote"}, "schema", "STANDARD"),
            (Tier.STANDARD, {"schema": "greeksall1m"}, "schema", "PRO"),
            (Tier.STANDARD, {"schema": "tradegreeks"}, "schema", "PRO"),
            (Tier.VALUE, {"start": "2019-06-03", "end": "2019-06-03"}, "start", "STANDARD"),
        ],
    )
    def test_a_tier_too_low_is_named_with_the_schema(
        self, of_tier: Any, tier: Tier, wrong: dict[str, Any], field: str, needed: str
    ) -> None:
        with pytest.raises(TierTooLow, match=f"{needed}; this account has {tier.name}") as caught:
            of_tier(tier)[1].plan([task(**wrong)])

        assert caught.value.field == f"tasks[0].{field}"

    def test_a_free_account_plans_reports_without_the_list_of_contracts(self, simulator_url: str, of_tier: Any) -> None:
        [plan] = of_tier(Tier.FREE)[1].plan([task(schema="eod")])

        assert plan.requests == 1

    def test_without_a_terminal_nothing_is_planned(self) -> None:
        with ThetaClient("http://127.0.0.1:1", "pro") as client:
            planner = OptionPlanner(client, Chains(client, lambda: NOW), lambda: NOW)
            with pytest.raises(VendorUnreachable):
                planner.plan([task()])


@pytest.mark.parametrize(
    ("schema", "tier"),
    [
        ("eod", Tier.FREE),
        ("ohlcv1m", Tier.VALUE),
        ("ohlcv1s", Tier.STANDARD),
        ("quote", Tier.STANDARD),
        ("openinterest", Tier.VALUE),
        ("greekseod", Tier.STANDARD),
        ("iv5m", Tier.STANDARD),
        ("greeksall1m", Tier.PRO),
    ],
)
def test_the_first_tier_of_a_schema_is_the_vendors(schema: str, tier: Tier) -> None:
    assert first_tier(parse_schema(schema, asset="option"), FIRST_TIER) is tier


def test_the_vendors_lists_are_asked_for_once_an_hour() -> None:
    with running_simulator() as url, ThetaClient(url, "pro") as client:
        now = [NOW]
        chains = Chains(client, lambda: now[0])
        for _ in range(3):
            assert FRIDAY in chains.expirations("SPXW")
        httpx2.post(f"{url}/__faults", json={"match": {}, "fault": {"kind": "status", "status": 400}}, trust_env=False)
        assert FRIDAY in chains.expirations("SPXW")
