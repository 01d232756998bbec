from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.kit.vendor import Vendor
from stoculus.errors import SettingsInvalid
from stoculus.settings import ServiceSettings
from tests.unit.theta_client.conftest import CannedTerminal


@pytest.fixture
def terminal() -> Iterator[CannedTerminal]:
    canned = CannedTerminal()
    yield canned
    canned.close()


@pytest.fixture
def connect(terminal: CannedTerminal) -> Iterator[Callable[..., Vendor]]:
    """Makes vendors of that terminal, and closes them."""
    with ExitStack() as stack:

        def make(program: str, **options: Any) -> Vendor:
            vendor = Vendor(ServiceSettings(theta_url=terminal.url), program, **options)
            stack.callback(vendor.close)
            return vendor

        yield make


def test_nobody_is_asked_while_nothing_is_amiss(terminal: CannedTerminal, connect: Callable[..., Vendor]) -> None:
    vendor = connect("historical-stock")

    assert vendor.missing() == []
    assert terminal.status_probes == 0


def test_in_doubt_the_terminal_is_asked_every_few_seconds_until_all_is_well(
    terminal: CannedTerminal, connect: Callable[..., Vendor]
) -> None:
    at = {"s": 0.0, "doubt": True}
    registry = CollectorRegistry()
    vendor = connect("x", in_doubt=lambda: bool(at["doubt"]), monotonic=lambda: at["s"])
    vendor.register(registry)
    terminal.status = "UNVERIFIED"
    told = [vendor.missing() for _ in range(5)]
    at["doubt"] = False

    assert all("UNVERIFIED" in one[0] for one in told)
    assert terminal.status_probes == 1
    assert registry.get_sample_value("stoculus_vendor_session_taken") == 1
    terminal.status = "CONNECTED"
    assert vendor.missing()
    at["s"] = 10
    assert vendor.missing() == []
    assert registry.get_sample_value("stoculus_vendor_session_taken") == 0
    at["s"] = 100
    assert vendor.missing() == []
    assert terminal.status_probes == 2


def test_a_program_says_who_it_is(terminal: CannedTerminal, connect: Callable[..., Vendor]) -> None:
    connect("historical-stock").client.status()

    assert [agent.split("/")[0] for agent in terminal.agents] == ["stoculus-historical-stock"]


@pytest.mark.parametrize("missing", ["theta_email", "theta_password"])
def test_a_terminal_of_its_own_needs_an_account(missing: str, tmp_path: Any) -> None:
    account = {"theta_email": "e", "theta_password": "p"} | {missing: None}
    with pytest.raises(SettingsInvalid, match=f"STOCULUS_{missing.upper()}"):
        Vendor(ServiceSettings.model_validate({"theta_mode": "embedded", "terminal_dir": tmp_path, **account}), "x")
