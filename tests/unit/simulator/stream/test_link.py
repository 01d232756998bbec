"""The terminal's own connection."""

from simulator.faults import AnotherLogin, Faults, Script
from simulator.stream.link import Link
from simulator.stream.switches import Switches


class Seconds:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_loss_is_followed_by_a_login() -> None:
    clock = Seconds()
    link = Link(Faults(), clock)
    assert link.word == "DISCONNECTED"

    link.lose(5)
    words = []
    for clock.now in (104.9, 105.0, 105.9, 106.0):
        words.append(link.word)

    assert words == ["DISCONNECTED", "UNVERIFIED", "UNVERIFIED", "CONNECTED"]


def test_a_mended_loss_is_over() -> None:
    link = Link(Faults(), Seconds())
    link.lose(5)
    link.mend()

    assert link.is_up


def test_an_older_build_is_connected_from_the_start_until_another_logs_in() -> None:
    faults = Faults()
    link = Link(faults, Seconds())
    link.switches = Switches(eager_login=True)
    assert link.is_up

    faults.add(Script(fault=AnotherLogin(kind="another_login")))
    assert link.word == "DISCONNECTED"
