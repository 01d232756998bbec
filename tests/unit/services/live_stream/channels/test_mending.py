"""Gaps of a channel, whatever happens while one is open: what the watermark claims is on the topic, once."""

from collections.abc import Callable
from datetime import date
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.live_stream.bars.grid import midnight_us
from services.live_stream.channels import ticks
from services.live_stream.channels.bars import BarChannel
from services.live_stream.channels.gap import Stage
from services.live_stream.healing import finding
from stoculus.calendar import session_hours
from stoculus.instruments import Stock
from tests.unit.services.live_stream.making import Trade, micros
from tests.unit.services.live_stream.street import Street

SCHEMAS = ["trade", "ohlcv1s"]
DAY = date(2024, 1, 3)
HOURS = partial(session_hours, session="regular")
OPS = ("step", "step", "step", "lose", "connect", "drop", "work", "mark", "kill", "shut", "open", "away", "there")


@pytest.fixture
def street_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Street]:
    monkeypatch.setattr(ticks, "ROWS_A_TURN", 4)

    def make(schema: str = "trade", **facts: object) -> Street:
        street = Street(schema, **facts)  # type: ignore[arg-type]
        monkeypatch.setattr(finding, "PartitionReader", street.broker.reader)
        return street

    return make


def until_stage(street: Street, stage: Stage) -> None:
    for _ in range(100):
        if street.channel.gap is not None and street.channel.gap.stage is stage:
            return
        street.connect()
        if stage is Stage.WRITING:
            street.threads.go()
        street.step(work=False)
    raise AssertionError(stage)


def begin(street: Street) -> None:
    street.settle()
    street.write_mark()
    street.write_mark()


def stop_sign(street: Street) -> None:
    assert isinstance(street.channel, BarChannel)
    street.channel.stop_sign()


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("warmup", [None, 0, 1])
@pytest.mark.parametrize("stage", list(Stage))
def test_a_second_loss_in_any_stage(
    street_of: Callable[..., Street], schema: str, warmup: int | None, stage: Stage
) -> None:
    street = street_of(schema, warmup_days=warmup)
    if warmup is None:
        begin(street)
        street.lose()
        street.step(20)
    else:
        street.lose()
        street.step(20)
        street.clock.saw(street.now_us, street.now_us)
    until_stage(street, stage)
    street.lose()
    street.step(3)
    street.settle()

    street.assert_whole()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_session_that_opens_again_while_a_gap_is_healed_makes_the_gap_longer(
    street_of: Callable[..., Street], schema: str
) -> None:
    street = street_of(schema)
    begin(street)
    street.lose()
    until_stage(street, Stage.FETCHING)
    street.channel.shut()
    street.is_subscribed = False
    street.step(5, work=False)
    street.channel.open("it is time")
    street.settle()

    street.assert_whole()


def test_a_bar_that_is_not_over_is_not_sent_when_its_stream_stops(street_of: Callable[..., Street]) -> None:
    street = street_of("ohlcv1m")
    street.settle()
    street.channel.end()

    street.assert_whole()
    assert street.broker.rows == []


def test_the_watermark_of_bars_never_stands_in_the_middle_of_a_bar(street_of: Callable[..., Street]) -> None:
    street = street_of("ohlcv1m", warmup_days=0)
    while street.channel.gap is not None or street.channel.complete_us is None:
        street.step()
        street.write_mark()
        assert street.mark is None or street.mark.complete_until_us % 60_000_000 == 0


def test_a_bar_of_which_some_cannot_be_healed_is_not_sent(street_of: Callable[..., Street]) -> None:
    street = street_of("ohlcv1m")
    begin(street)
    street.lose()
    street.step(20)
    until_stage(street, Stage.WRITING)
    street.lose()
    street.step(2)
    street.now_us += 24 * 3_600_000_000
    street.connect()
    street.step(20)
    street.settle()
    street.step(150)

    today_us = midnight_us(date(2024, 1, 4))
    assert street.on_topic(today_us, street.now_us)
    assert not street.on_topic(0, today_us)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("warmup", [None, 0])
@pytest.mark.parametrize("hours_away", [0, 1])
def test_history_that_lags_is_waited_for_also_when_the_vendor_was_away(
    street_of: Callable[..., Street], schema: str, warmup: int | None, hours_away: int
) -> None:
    street = street_of(schema, warmup_days=warmup)
    if warmup is None:
        begin(street)
        street.lose()
        street.step(5)
        street.connect()
    street.is_away = True
    street.step(hours_away * 9_000, trades=0)
    street.history_until_us = street.now_us - 5_000_000
    street.is_away = False
    for _ in range(200):
        street.step()
        if len(street.asked) > 2:
            street.history_until_us = max(street.history_until_us, street.now_us - 5_000_000)
    street.history_until_us = None
    street.settle()

    street.assert_whole()


def test_a_gap_that_cannot_be_healed_for_long_takes_no_memory(street_of: Callable[..., Street]) -> None:
    street = street_of()
    begin(street)
    street.is_away = True
    street.lose()
    street.connect()
    street.step(1_000, trades=0)

    assert len(street.clock._said) < 10


def test_a_stop_in_the_middle_of_the_session_ends_no_bar(street_of: Callable[..., Street]) -> None:
    street = street_of("ohlcv1m", hours=HOURS)
    begin(street)
    stop_sign(street)
    assert street.broker.rows == []


def test_a_stop_after_the_session_ends_its_last_bar_without_a_grace(street_of: Callable[..., Street]) -> None:
    street = street_of("ohlcv1m", hours=HOURS, now_us=micros(DAY, 15, 59, 40.1))
    begin(street)
    while street.clock.now_us is None or street.clock.now_us <= micros(DAY, 16, 0):
        street.step()
    stop_sign(street)
    assert [us for (_, us, _), _ in street.broker.rows] == [micros(DAY, 15, 59)]


def test_each_day_of_a_warm_up_has_its_own_instruments(street_of: Callable[..., Street]) -> None:
    street = street_of(warmup_days=1)
    street.channel.instruments_on = lambda day, _: frozenset([Stock(f"OF{day.day}")])
    street.settle()

    assert set(street.asked_of) == {frozenset([Stock("OF2")]), frozenset([Stock("AAPL")])}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_warm_up_that_dies_before_its_first_watermark_begins_anew_without_duplicates(
    street_of: Callable[..., Street], schema: str
) -> None:
    street = street_of(schema, warmup_days=0)
    street.step(20, work=False)
    street.threads.go()
    street.step(4)
    assert street.broker.rows
    street.kill()
    street.settle()

    street.assert_whole()


def test_an_instrument_that_was_refused_and_comes_back_is_waited_for(street_of: Callable[..., Street]) -> None:
    street = street_of()
    street.channel.refuse(Stock("AAPL"), "ERROR")
    assert street.channel.refused
    street.channel.use(frozenset())
    street.channel.use(frozenset([Stock("AAPL")]))
    assert not street.channel.refused


@pytest.mark.parametrize("warmup", [None, 1])
def test_what_is_healed_ends_with_the_session(street_of: Callable[..., Street], warmup: int | None) -> None:
    street = street_of("trade", hours=HOURS, warmup_days=warmup, now_us=micros(DAY, 15, 59, 50))
    if warmup is None:
        begin(street)
        street.lose()
    else:
        street.trades += [Trade("AAPL", micros(date(2024, 1, 2), hour, 0), 0, 1, 100) for hour in (8, 11, 17)]
    street.step(100)
    street.settle()

    times = [us for (_, us, _), _ in street.broker.rows]
    assert max(times) <= micros(DAY, 16, 0)
    assert [us for us in times if us < micros(DAY, 0, 0)] == [micros(date(2024, 1, 2), 11, 0)][: warmup or 0]
    assert any(us > micros(DAY, 15, 59, 59) for us in times)


def test_a_warm_up_just_before_the_session_loses_none_of_its_first_rows(street_of: Callable[..., Street]) -> None:
    street = street_of("trade", hours=HOURS, warmup_days=0, now_us=micros(DAY, 9, 29, 58))
    street.settle()
    street.step(30)

    street.assert_whole()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_instruments_that_are_added_make_a_gap_until_they_are_confirmed(
    street_of: Callable[..., Street], schema: str
) -> None:
    street = street_of(schema)
    begin(street)
    street.channel.use(street.channel.instruments | {Stock("MSFT")})
    street.is_subscribed = False
    street.step(3)
    street.settle()

    [told] = [event for event in street.events if event.kind == "subscribed" and event.instruments == 1][1:]
    assert told.from_us is not None
    assert street.asked[-1][0] <= told.from_us < street.asked[-1][1]
    street.assert_whole()


def test_a_bar_in_whose_middle_a_topic_is_let_go_is_whole_when_it_is_taken_up_again(
    street_of: Callable[..., Street],
) -> None:
    street = street_of("ohlcv1s")
    begin(street)
    street.step()  # the tape stands in the middle of a second
    street.channel.shut()
    street.step(5)
    street.channel.open("it is time")
    street.settle()

    street.assert_whole()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(SCHEMAS),
    st.sampled_from([None, None, 0]),
    st.lists(st.tuples(st.sampled_from(OPS), st.integers(1, 6)), max_size=30),
)
def test_whatever_happens_what_the_watermark_claims_is_there_once(
    street_of: Callable[..., Street], schema: str, warmup: int | None, steps: list[tuple[str, int]]
) -> None:
    street = street_of(schema, warmup_days=warmup)
    for op, times in steps:
        match op:
            case "step":
                street.step(times, work=False)
            case "work":
                street.threads.go()
                street.turn()
            case "mark":
                street.write_mark()
            case "shut" if street.channel.is_open:
                street.channel.shut()
                street.is_subscribed = False
            case "open" if not street.channel.is_open:
                street.channel.open("it is time")
            case "away" | "there":
                street.is_away = op == "away"
            case "kill":
                street.kill(lost=5 * times)
            case "lose" | "connect" | "drop":
                getattr(street, op)()
    street.is_away = False
    if not street.channel.is_open:
        street.channel.open("it is time")
    street.settle()

    street.assert_whole()
