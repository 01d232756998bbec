"""Planning streams on a real client whose terminal is the simulator."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, datetime
from typing import Any

import pytest

from services.kit.chains import Chains
from services.kit.names import NameList
from services.live_stream.plan import LivePlanner
from simulator.testing import running_simulator
from stoculus.calendar import NEW_YORK
from stoculus.errors import InvalidRequest, StoculusError, TierTooLow, VendorUnreachable
from stoculus.instruments import OptionContract, Stock
from stoculus.streams import OptionFeed, StreamSpec
from theta_client.client import ThetaClient, Tier
from theta_client.stream.subscription import Subscription

DAY, FRIDAY = date(2024, 1, 3), date(2024, 1, 5)
NOON = datetime(2024, 1, 3, 12, tzinfo=NEW_YORK)
LATER = datetime(2024, 6, 3, 12, tzinfo=NEW_YORK)
PlannerOf = Callable[..., LivePlanner]


def stock(ticker: str = "AAPL", schema: str = "quote") -> dict[str, Any]:
    return {"asset": "stock", "ticker": ticker, "schema": schema}


def chain(schema: str = "trade", root: str = "AAPL", **chosen: Any) -> dict[str, Any]:
    if "contracts" not in chosen:
        chosen = {"expirations": ["2024-01-05"]} | chosen
    return {"asset": "option", "root": root, "schema": schema, **chosen}


def spec(*feeds: dict[str, Any]) -> StreamSpec:
    return StreamSpec.model_validate({"stream_id": "tape", "feeds": list(feeds)})


def held(count: int, kind: Any = "quote") -> list[Subscription]:
    return [Subscription(kind, Stock(f"X{n}")) for n in range(count)]


def contracts(count: int, kind: Any) -> list[Subscription]:
    return [Subscription(kind, OptionContract("X", FRIDAY, n + 1, "call")) for n in range(count)]


@pytest.fixture(scope="module")
def simulator_url() -> Iterator[str]:
    with running_simulator() as url:
        yield url


@pytest.fixture(scope="module")
def planner_of(simulator_url: str) -> Iterator[PlannerOf]:
    with ExitStack() as stack:

        def make(tier: Tier = Tier.PRO, now: datetime = NOON) -> LivePlanner:
            client = stack.enter_context(ThetaClient(simulator_url, tier))
            symbols = NameList("stock", client.symbols, lambda: now)
            return LivePlanner(client, symbols, Chains(client, lambda: now), lambda: now)

        yield make


@pytest.fixture(scope="module")
def planner(planner_of: PlannerOf) -> LivePlanner:
    return planner_of()


@pytest.fixture(scope="module")
def chains(simulator_url: str) -> Iterator[Chains]:
    with ThetaClient(simulator_url, Tier.PRO) as client:
        yield Chains(client, lambda: NOON)


def contracts_of(planner: LivePlanner, day: date = DAY, **chosen: Any) -> list[OptionContract]:
    feed = OptionFeed.model_validate(chain(**chosen))
    found = planner.subscriptions(feed, day, threading.Event())
    assert {one.kind for one in found} <= {"trade"}
    return [one.what for one in found if isinstance(one.what, OptionContract)]


def refused(planner: LivePlanner, *feeds: dict[str, Any], **given: Any) -> StoculusError:
    with pytest.raises((InvalidRequest, TierTooLow)) as caught:
        planner.plan(spec(*feeds), given.pop("in_use", []), **given)
    return caught.value


class TestSubscriptions:
    def test_trades_and_bars_are_one_subscription(self, planner: LivePlanner) -> None:
        plan = planner.plan(spec(stock(schema="trade"), stock(schema="ohlcv1m"), stock(), stock("MSFT")), [])

        assert (plan.subscriptions, plan.in_use) == (3, 0)
        assert plan.notes == [
            "2 of 2,000 stock quotes that the account may stream at once.",
            "1 of 20,000 stock trades that the account may stream at once.",
        ]

    def test_named_contracts_are_as_they_are_named_without_those_that_have_expired(self, planner: LivePlanner) -> None:
        named = ["AAPL  240105C00212500", "AAPL  240105P00212500", "AAPL  231229C00212500"]

        found = contracts_of(planner, contracts=named)

        assert [one.osi for one in found] == ["AAPL  240105C00212500", "AAPL  240105P00212500"]
        plan = planner.plan(spec(chain(contracts=named)), [])
        assert plan.subscriptions == 2
        assert "1 of 3 contracts have expired" in plan.notes[0]

    def test_the_chain_of_a_day_that_is_over_is_what_the_vendor_lists_of_it(
        self, planner_of: PlannerOf, chains: Chains
    ) -> None:
        found = contracts_of(planner_of(now=LATER), expirations={"dte": {"min": 0, "max": 9}}, right="put")

        listed = chains.contracts("AAPL", DAY)
        assert found == [one for one in listed if one.right == "put" and (one.expiration - DAY).days <= 9]
        assert {one.expiration for one in found} == {FRIDAY, date(2024, 1, 12)}

    def test_the_chain_of_a_day_that_runs_is_what_was_quoted_the_day_before_too(
        self, planner: LivePlanner, chains: Chains
    ) -> None:
        found = contracts_of(planner, expirations={"dte": {"min": 0, "max": 9}})

        today, before = (
            {one for one in chains.contracts("AAPL", day) if one.expiration in (FRIDAY, date(2024, 1, 12))}
            for day in (DAY, date(2024, 1, 2))
        )
        assert found == sorted(today | before)
        assert found

    def test_of_an_expiration_that_nobody_has_quoted_the_chain_is_all_that_could_be(
        self, planner: LivePlanner, chains: Chains
    ) -> None:
        listed = {one.expiration for day in (DAY, date(2024, 1, 2)) for one in chains.contracts("AAPL", day)}
        new = next(one for one in chains.expirations("AAPL") if one > DAY and one not in listed)

        found = contracts_of(planner, expirations=[str(new)], right="call")

        assert found == [OptionContract("AAPL", new, strike, "call") for strike in chains.strikes("AAPL", new)]
        assert found

    def test_without_lists_of_days_the_chain_is_all_that_could_be_quoted(self, planner_of: PlannerOf) -> None:
        free = contracts_of(planner_of(Tier.FREE, LATER), strikes=[200, 212.5])

        assert [one.osi[12:] for one in free] == ["C00200000", "P00200000", "C00212500", "P00212500"]

    def test_expirations_that_are_over_are_left_out(self, planner: LivePlanner) -> None:
        found = contracts_of(planner, expirations=["2023-12-29", "2024-01-05"], strikes=[212.5])

        assert {one.expiration for one in found} == {FRIDAY}

    def test_a_day_without_an_expiration_is_no_fault(self, planner: LivePlanner) -> None:
        plan = planner.plan(spec(chain(expirations={"dte": {"min": 0, "max": 0}})), [])

        assert plan.subscriptions == 0
        assert plan.notes == [
            "option-aapl-trade-live: no contract on 2024-01-03; the chain is looked up anew each day."
        ]

    def test_on_a_closed_day_the_next_trading_day_counts(self, planner_of: PlannerOf) -> None:
        saturday = planner_of(now=datetime(2024, 1, 6, 12, tzinfo=NEW_YORK))

        plan = saturday.plan(spec(chain(expirations=["2024-01-12"], strikes=[212.5])), [])

        assert "2 contracts on 2024-01-08" in plan.notes[0]

    def test_the_day_may_be_another(self, planner: LivePlanner) -> None:
        assert planner.plan(spec(chain(strikes=[212.5])), [], FRIDAY).subscriptions == 2
        assert "are over before 2024-01-08" in refused(planner, chain(), day=date(2024, 1, 8)).message


class TestWhatTheVendorDoesNotList:
    def test_a_ticker(self, planner: LivePlanner) -> None:
        error = refused(planner, stock(), stock("AAPLE"))

        assert error.field == "feeds[1].ticker"
        assert "AAPL" in error.remedy

    def test_a_root(self, planner: LivePlanner) -> None:
        assert refused(planner, chain(root="SPXX")).field == "feeds[0].root"

    def test_an_expiration(self, planner: LivePlanner) -> None:
        error = refused(planner, stock(), chain(expirations=["2024-01-05", "2024-01-06"]))

        assert error.field == "feeds[1].expirations[1]"
        assert "2024-01-05" in error.remedy

    def test_a_contract_is_told_by_its_place_in_the_request(self, planner: LivePlanner) -> None:
        named = ["AAPL  240112C00212500", "AAPL  240105C00200120", "AAPL  240105C00212500"]

        assert refused(planner, chain(contracts=named)).field == "feeds[0].contracts[1]"

    def test_each_of_many_contracts(self, planner: LivePlanner, chains: Chains) -> None:
        known = [OptionContract("AAPL", FRIDAY, one, "call").osi for one in chains.strikes("AAPL", FRIDAY)]

        error = refused(planner, chain(contracts=[*known, "AAPL  240105C00200120"]))

        assert len(known) > 20
        assert error.field == f"feeds[0].contracts[{len(known)}]"

    def test_strikes(self, planner: LivePlanner) -> None:
        assert refused(planner, chain(strikes=[200, 200.12])).field == "feeds[0].strikes[1]"
        assert refused(planner, chain(strikes={"min": 9000, "max": 9001})).field == "feeds[0].strikes"

    def test_expirations_that_are_all_over(self, planner: LivePlanner) -> None:
        error = refused(planner, chain(expirations=["2023-12-29"]))

        assert error.message == "All expirations are over before 2024-01-03."
        assert refused(planner, chain(expirations={"min": "2023-12-01", "max": "2023-12-29"})).field is not None

    def test_strikes_around_the_spot_are_refused(self, planner: LivePlanner) -> None:
        error = refused(planner, chain(strikes={"around_spot": 3}))

        assert error.field == "feeds[0].strikes"
        assert "by range" in error.remedy


class TestTiers:
    @pytest.mark.parametrize("tier", [Tier.FREE, Tier.VALUE])
    @pytest.mark.parametrize("feed", [stock(), chain()])
    def test_low_tiers_stream_nothing(self, planner_of: PlannerOf, tier: Tier, feed: dict[str, Any]) -> None:
        error = refused(planner_of(tier), feed)

        assert isinstance(error, TierTooLow)
        assert error.field == "feeds[0].schema"
        assert f"STANDARD; this account has {tier.name}" in error.message

    def test_what_does_not_fit_is_refused_with_the_numbers(self, planner_of: PlannerOf) -> None:
        error = refused(planner_of(Tier.STANDARD), stock(), stock("MSFT"), stock("SPY"), in_use=held(999))

        assert isinstance(error, TierTooLow)
        assert error.message == (
            "1,002 stock quotes at once are too many: this stream wants 3 more, 999 are in use, and the vendor's tier "
            "STANDARD streams 1,000."
        )
        assert error.remedy == "Ask for 1 at the most, or stop other streams; tier PRO streams more."
        assert error.field == "feeds[1].ticker"

    def test_where_no_tier_has_room_the_request_is_wrong(self, planner: LivePlanner) -> None:
        error = refused(planner, stock(), in_use=held(2_000))

        assert isinstance(error, InvalidRequest)
        assert error.remedy == "Ask for 0 at the most, or stop other streams."

    def test_what_is_in_use_already_takes_no_room(self, planner_of: PlannerOf) -> None:
        in_use = [*held(999), Subscription("quote", Stock("AAPL"))]

        plan = planner_of(Tier.STANDARD).plan(spec(stock()), in_use)

        assert (plan.subscriptions, plan.in_use) == (1, 1_000)

    def test_trades_and_quotes_have_room_of_their_own(self, planner_of: PlannerOf) -> None:
        standard = planner_of(Tier.STANDARD)

        assert standard.plan(spec(stock(schema="trade"), chain(strikes=[212.5])), held(1_000)).subscriptions == 3
        assert refused(standard, stock(schema="ohlcv1m"), in_use=held(1_000, "trade")).field == "feeds[0].ticker"

    def test_a_chain_that_is_too_large_is_told_by_its_root(self, planner: LivePlanner) -> None:
        error = refused(planner, stock(), chain("quote"), in_use=contracts(15_000, "quote"))

        assert error.field == "feeds[1].root"
        assert "tier PRO streams 15,000" in error.message

    def test_trades_of_options_have_no_limit_on_pro(self, planner: LivePlanner) -> None:
        plan = planner.plan(spec(chain(strikes=[212.5])), contracts(20_000, "trade"))

        assert (plan.subscriptions, plan.in_use) == (2, 20_000)
        assert len(plan.notes) == 1


def test_a_vendor_that_is_away_is_told() -> None:
    with ThetaClient("http://127.0.0.1:9", Tier.PRO, sleep=lambda *_: None) as client:
        symbols = NameList("stock", client.symbols, lambda: NOON)
        planner = LivePlanner(client, symbols, Chains(client, lambda: NOON), lambda: NOON)

        with pytest.raises(VendorUnreachable):
            planner.plan(spec(stock()), [])
