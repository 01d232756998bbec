from datetime import date

import pytest
from pydantic import ValidationError

from simulator.faults import AnotherLogin, Faults, Match, Script, Status

BUSY = Status(kind="status", status=429)
DAY = {"symbol": "AAPL", "date": "20240103"}


def test_a_script_reads_as_it_is_posted() -> None:
    script = Script.model_validate(
        {
            "match": {"path": "stock/history/trade", "symbol": "AAPL", "date": "2024-01-03"},
            "times": 3,
            "after_requests": 0,
            "fault": {"kind": "status", "status": 429, "body": "busy"},
        }
    )

    assert script.match.date == date(2024, 1, 3)
    assert script.fault == Status(kind="status", status=429, body="busy")


@pytest.mark.parametrize(
    "script",
    [
        {},
        {"fault": {"kind": "unknown"}},
        {"fault": {"kind": "reset"}, "extra": 1},
        {"fault": {"kind": "nan", "row": 0}},
    ],
)
def test_a_wrong_script_is_refused(script: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Script.model_validate(script)


def test_a_fault_strikes_so_many_times_after_so_many_requests() -> None:
    faults = Faults()
    rule = faults.add(Script(times=2, after_requests=1, fault=BUSY))

    struck = [faults.strike("stock/history/trade", DAY) for _ in range(5)]

    assert struck == [None, BUSY, BUSY, None, None]
    assert (rule.seen, rule.fired) == (3, 2)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(path="stock/history/trade"), True),
        (Match(path="stock/history/quote"), False),
        (Match(symbol="AAPL"), True),
        (Match(symbol="MSFT"), False),
        (Match(date=date(2024, 1, 3)), True),
        (Match(date=date(2024, 1, 4)), False),
    ],
)
def test_all_that_a_match_gives_must_fit(match: Match, *, fits: bool) -> None:
    faults = Faults()
    faults.add(Script(match=match, fault=BUSY))

    assert (faults.strike("stock/history/trade", DAY) is not None) == fits


def test_the_first_rule_that_meets_a_request_wins() -> None:
    faults, starting = Faults(), Status(kind="status", status=571)
    faults.add(Script(times=1, fault=BUSY))
    faults.add(Script(fault=starting))

    assert [faults.strike("x", {}), faults.strike("x", {})] == [BUSY, starting]


def test_another_login_holds_the_session_until_it_is_cleared() -> None:
    faults = Faults()
    faults.add(Script(after_requests=1, fault=AnotherLogin(kind="another_login")))
    states = [faults.session_taken]
    faults.strike("stock/history/trade", DAY)
    states.append(faults.session_taken)
    faults.clear()
    states.append(faults.session_taken)

    assert states == [False, True, False]
