import threading
from collections.abc import Iterator

from stoculus.doctor.probe import Line, run
from stoculus.errors import RegistryUnavailable


def finds(*lines: Line) -> Iterator[Line]:
    yield from lines


def test_what_is_found_comes_in_the_order_of_the_parts() -> None:
    late = threading.Event()

    def slow() -> Iterator[Line]:
        late.wait(30)
        yield Line("ok", "slow", "here")

    def quick() -> Iterator[Line]:
        yield Line("note", "quick", "here, too.")
        late.set()

    assert run({"slow": slow, "quick": quick}) == [Line("ok", "slow", "here"), Line("note", "quick", "here, too")]


def test_an_error_is_a_line_behind_what_was_found_before() -> None:
    def fails() -> Iterator[Line]:
        yield Line("ok", "registry", "it is there")
        raise RegistryUnavailable("It has gone.", remedy="Start it.")

    assert run({"registry": fails}) == [
        Line("ok", "registry", "it is there"),
        Line("failed", "registry", "It has gone", "Start it."),
    ]


def test_a_defect_of_a_probe_does_not_hide_what_the_others_found() -> None:
    def broken() -> Iterator[Line]:
        nothing: dict[str, Line] = {}
        yield nothing["oh"]

    defect, other = run({"broken": broken, "other": lambda: finds(Line("ok", "other", "fine"))})

    assert (defect.level, other.level) == ("failed", "ok")
    assert "KeyError('oh')" in defect.found


def test_what_hangs_is_not_waited_for() -> None:
    never = threading.Event()

    def hangs() -> Iterator[Line]:
        yield Line("ok", "broker", "it answers")
        never.wait(60)

    found = run({"broker": hangs, "other": lambda: finds(Line("ok", "other", "fine"))}, deadline_s=0.2)
    never.set()

    assert found == [
        Line("ok", "broker", "it answers"),
        Line("failed", "broker", "no answer within 0.2 s", "See its log."),
        Line("ok", "other", "fine"),
    ]
