from datetime import date
from pathlib import Path

from local.played_day import FIRST, played_day, turn_over


def test_the_first_start_plays_the_first_day_and_each_other_the_next_trading_day(tmp_path: Path) -> None:
    assert played_day(tmp_path) == FIRST
    days = []
    for _ in range(6):
        turn_over(tmp_path)
        days.append(played_day(tmp_path))

    # Monday to Friday, and the Tuesday after Martin Luther King's day.
    assert days == [*(date(2024, 1, day) for day in (8, 9, 10, 11, 12)), date(2024, 1, 16)]
