import threading
from collections.abc import Callable, Iterator

import pytest

from stoculus.errors import (
    NoData,
    SessionTaken,
    StoculusError,
    TierTooLow,
    Transient,
    VendorBodyCut,
    VendorBusy,
    VendorDisconnected,
    VendorFault,
    VendorSilent,
    VendorStarting,
    VendorUnreachable,
)
from tests.unit.theta_client.conftest import Naps
from theta_client.protocol import Tier
from theta_client.session import BUDGETS, Account, Budget
from theta_client.transport import Cancelled

ABORTED = threading.Event()

# some hold out longer than others
PATIENT = {cause: Budget(4 + n, 0.25, 10) for n, cause in enumerate(BUDGETS)}


def account(
    naps: Naps, *, tier: Tier = Tier.PRO, status: Callable[[threading.Event], str] = lambda aborted: "CONNECTED"
) -> Account:
    return Account(tier, status, budgets=PATIENT, sleep=naps, random=lambda: 0.5)


def taken(theta: Account) -> SessionTaken | None:
    return theta.taken


def attempts(*results: StoculusError | int) -> Callable[[], Iterator[int]]:
    left = list(results)

    def attempt() -> Iterator[int]:
        result = left.pop(0)
        if isinstance(result, StoculusError):
            raise result
        yield result

    return attempt


@pytest.mark.parametrize("cause", BUDGETS)
def test_a_transient_failure_is_tried_again(cause: type[Transient], naps: Naps) -> None:
    assert list(account(naps).fetch(attempts(cause("a"), cause("b"), 7), ABORTED)) == [7]
    budget = PATIENT[cause]
    assert naps.seconds == [0.5 * min(budget.first_s, budget.most_s), 0.5 * min(2 * budget.first_s, budget.most_s)]


@pytest.mark.parametrize("cause", BUDGETS)
def test_a_budget_ends(cause: type[Transient], naps: Naps) -> None:
    often = PATIENT[cause].attempts
    with pytest.raises(cause, match="the last"):
        list(account(naps).fetch(attempts(*[cause("again")] * often, cause("the last"), 7), ABORTED))
    assert len(naps.seconds) == often
    assert max(naps.seconds) <= PATIENT[cause].most_s


def test_each_cause_has_its_own_budget(naps: Naps) -> None:
    mixed = [
        VendorFault("a"),
        VendorSilent("b"),
        VendorBodyCut("c"),
        VendorFault("d"),
        VendorSilent("e"),
        VendorFault("f"),
    ]
    assert list(account(naps).fetch(attempts(*mixed, VendorUnreachable("g"), 7), ABORTED)) == [7]


def test_a_terminal_failure_is_not_tried_again(naps: Naps) -> None:
    with pytest.raises(NoData):
        list(account(naps).fetch(attempts(NoData("none"), 7), ABORTED))
    assert naps.seconds == []


def test_nothing_is_tried_again_once_an_item_is_out(naps: Naps) -> None:
    def attempt() -> Iterator[int]:
        yield 1
        raise VendorBodyCut("cut")

    items = account(naps).fetch(attempt, ABORTED)
    assert next(items) == 1
    with pytest.raises(VendorBodyCut):
        next(items)
    assert naps.seconds == []


@pytest.mark.parametrize("cause", [VendorDisconnected, VendorStarting])
def test_a_terminal_without_its_servers_is_asked_for_its_status_before_data(cause: type[Transient], naps: Naps) -> None:
    words = iter(["DISCONNECTED", "ERROR", "UNVERIFIED", "CONNECTED"])
    theta = account(naps, status=lambda aborted: next(words))
    assert list(theta.fetch(attempts(cause("down"), 7), ABORTED)) == [7]
    assert len(naps.seconds) == 4


def test_a_terminal_that_cannot_say_its_status_is_not_connected(naps: Naps) -> None:
    answers = attempts(VendorBusy("busy"), VendorUnreachable("down"), 1)

    def status(aborted: threading.Event) -> str:
        return "CONNECTED" if next(answers()) else ""

    assert list(account(naps, status=status).fetch(attempts(VendorStarting("x"), 7), ABORTED)) == [7]
    assert len(naps.seconds) == 3


def test_after_a_taken_session_every_request_fails_at_once_until_the_terminal_is_connected(naps: Naps) -> None:
    word = "UNVERIFIED"
    theta = account(naps, status=lambda aborted: word)
    with pytest.raises(SessionTaken, match="taken by another"):
        list(theta.fetch(attempts(SessionTaken("taken by another", remedy="stop it")), ABORTED))
    with pytest.raises(SessionTaken, match="taken by another") as again:
        list(theta.fetch(attempts(), ABORTED))
    assert again.value.remedy == "stop it"
    word = "CONNECTED"
    assert list(theta.fetch(attempts(7), ABORTED)) == [7]
    word = "DISCONNECTED"
    assert list(theta.fetch(attempts(8), ABORTED)) == [8]


def test_a_look_tells_that_the_account_is_taken_and_that_it_is_free_again(naps: Naps) -> None:
    word = "UNVERIFIED"
    theta = account(naps, status=lambda aborted: word)
    assert taken(theta) is None
    theta.look(ABORTED)
    assert taken(theta)
    with pytest.raises(SessionTaken, match="UNVERIFIED"):
        list(theta.fetch(attempts(), ABORTED))
    word = "DISCONNECTED"
    theta.look(ABORTED)
    assert taken(theta)
    word = "CONNECTED"
    theta.look(ABORTED)
    assert taken(theta) is None


def test_a_terminal_that_is_away_is_not_taken(naps: Naps) -> None:
    theta = account(naps, status=lambda aborted: "DISCONNECTED")
    theta.look(ABORTED)

    assert theta.taken is None


def test_a_403_corrects_the_tier(naps: Naps) -> None:
    theta = account(naps)
    with pytest.raises(TierTooLow):
        list(theta.fetch(attempts(TierTooLow("no", detail="but you only have a VALUE subscription.")), ABORTED))
    assert theta.tier is Tier.VALUE
    with pytest.raises(TierTooLow):
        list(theta.fetch(attempts(TierTooLow("no", detail="Forbidden")), ABORTED))
    assert theta.tier is Tier.VALUE


@pytest.mark.parametrize("tier", Tier)
def test_an_account_has_its_tiers_number_of_requests_under_way(tier: Tier, naps: Naps) -> None:
    theta = account(naps, tier=tier)
    fetches = [theta.fetch(attempts(n), ABORTED) for n in range(tier.concurrency)]
    assert [next(fetch) for fetch in fetches] == list(range(tier.concurrency))
    late: list[int] = []
    waiting = threading.Thread(target=lambda: late.extend(theta.fetch(attempts(99), ABORTED)))
    waiting.start()
    waiting.join(0.05)
    assert late == []
    fetches[0].close()  # type: ignore[attr-defined]
    waiting.join(10)
    assert late == [99]


def test_a_slot_is_free_again_after_a_failure(naps: Naps) -> None:
    theta = account(naps, tier=Tier.FREE)
    for _ in range(3):
        with pytest.raises(NoData):
            list(theta.fetch(attempts(NoData("none")), ABORTED))
    assert list(theta.fetch(attempts(7), ABORTED)) == [7]


def test_a_hurried_request_gives_up_soon(naps: Naps, monkeypatch: pytest.MonkeyPatch) -> None:
    theta = account(naps, tier=Tier.FREE)
    with pytest.raises(VendorUnreachable):
        list(theta.fetch(attempts(*[VendorUnreachable("down")] * 3), ABORTED, hurried=True))
    assert naps.seconds == [0.125, 0.25]
    with pytest.raises(VendorSilent):
        list(theta.fetch(attempts(VendorSilent("hung")), ABORTED, hurried=True))
    monkeypatch.setattr("theta_client.session._HURRIED_SLOT_S", 0.0)
    first = theta.fetch(attempts(1), ABORTED)
    next(first)
    with pytest.raises(VendorBusy, match="All 1 requests"):
        list(theta.fetch(attempts(2), ABORTED, hurried=True))


def test_waiting_for_a_slot_ends_when_aborted(naps: Naps) -> None:
    theta = account(naps, tier=Tier.FREE)
    first = theta.fetch(attempts(1), ABORTED)
    next(first)
    aborted = threading.Event()
    threading.Timer(0.05, aborted.set).start()
    with pytest.raises(Cancelled):
        list(theta.fetch(attempts(2), aborted))


def test_waiting_to_try_again_ends_when_aborted() -> None:
    aborted = threading.Event()
    threading.Timer(0.05, aborted.set).start()
    theta = Account(
        Tier.PRO,
        lambda aborted: "CONNECTED",
        budgets=PATIENT,
        sleep=lambda seconds, aborted: aborted.wait(1000),
        random=lambda: 1.0,
    )
    with pytest.raises(Cancelled):
        list(theta.fetch(attempts(VendorBusy("busy")), aborted))
