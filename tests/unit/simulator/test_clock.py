from datetime import UTC, datetime, timedelta

from simulator.clock import Clock
from stoculus.calendar import NEW_YORK


def test_the_clock_goes_on_from_where_it_is_set() -> None:
    clock = Clock(datetime(2024, 1, 3, 17, 0, tzinfo=UTC))

    first = clock.now()

    assert timedelta(0) <= first - datetime(2024, 1, 3, 12, 0, tzinfo=NEW_YORK) < timedelta(minutes=1)
    assert first.tzinfo is NEW_YORK
    assert clock.now() >= first


def test_an_instant_without_a_zone_is_new_yorks() -> None:
    clock = Clock()
    clock.set(datetime(2024, 7, 3, 9, 30))  # noqa: DTZ001 -- what is tested

    assert clock.now().isoformat().startswith("2024-07-03T09:30:")
    assert clock.now().utcoffset() == timedelta(hours=-4)


def test_none_is_the_real_time_again() -> None:
    clock = Clock(datetime(2024, 1, 3, tzinfo=UTC))
    clock.set(None)

    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)
