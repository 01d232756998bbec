"""What is due when, under any sequence of commands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stoculus.reading.feed import Int64s
from stoculus.replay.clock import MAX
from stoculus.replay.player import MOST_ROWS, Player, Turn

S = 1_000_000


@dataclass(frozen=True)
class Batch:
    """Rows of a list of times from one of them on."""

    start: int
    available_us: Int64s


class Listed:
    """A source of rows in batches; each poll but the last of `delays` in a row finds nothing."""

    def __init__(self, times_us: Sequence[int], batch_rows: int = 1 << 40, delays: int = 0) -> None:
        self.times = np.array(times_us, np.int64)
        self._batch_rows = batch_rows
        self._delays = delays
        self._polls = 0
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self.times)

    def poll(self) -> Batch | None:
        self._polls += 1
        if self.is_done or self._polls % (self._delays + 1):
            return None
        first = self._at
        self._at = min(first + self._batch_rows, len(self.times))
        return Batch(first, self.times[first : self._at])

    def seek(self, us: int | None) -> None:
        self._at = 0 if us is None else int(self.times.searchsorted(us))


def never(position_us: int, next_us: int) -> int | None:
    return None


def player(source: Listed, speed: float = 1) -> Player[Batch]:
    return Player(source, speed, never)


def numbers(turn: Turn[Batch]) -> list[int]:
    """Which rows of the list a turn hands out."""
    return [] if turn.rows is None else [turn.rows.start + n for n in range(turn.first, turn.end)]


def played(of: Player[Batch], *nows: float) -> list[list[int]]:
    return [numbers(of.turn(now)) for now in nows]


def test_rows_are_handed_out_when_the_clock_reaches_them() -> None:
    of = player(Listed([100 * S, 101 * S, 101 * S, 103 * S]), speed=2)

    assert played(of, 7.0, 7.4, 7.5, 7.6, 8.5) == [[0], [], [1, 2], [], [3]]
    assert of.is_done
    assert (of.first_us, of.last_us, of.sent) == (100 * S, 103 * S, 4)


def test_it_looks_again_when_the_next_row_is_due_but_not_more_often_than_each_tick() -> None:
    of = player(Listed([0, 10_000, 10_001, 10 * S]))

    assert [of.turn(now).wait_s for now in (0, 0.01, 0.0101)] == [0.01, 0.002, 0.05]


def test_while_it_is_paused_nothing_is_due() -> None:
    of = player(Listed([0, S, 2 * S]))
    of.turn(0)
    of.clock.pause(0.5)

    assert played(of, 10, 20) == [[], []]
    assert of.position_us(20) == S // 2

    of.clock.resume(20)
    assert played(of, 20.4, 20.5, 21.5) == [[], [1], [2]]


def test_the_clock_stands_while_the_next_row_is_not_known() -> None:
    of = player(Listed([0, S], batch_rows=1, delays=1))

    assert played(of, 0, 1, 1.1, 60, 60.8, 60.9) == [[], [0], [], [], [], [1]]


def test_it_seeks_back_and_forth() -> None:
    of = player(Listed([0, 10 * S, 20 * S, 30 * S]))
    played(of, 0, 10)

    of.seek(5 * S, 10)
    assert played(of, 10, 14, 15) == [[], [], [1]]

    of.seek(30 * S, 15)
    assert played(of, 15) == [[3]]

    of.seek(25 * S, 15)
    assert played(of, 16, 21) == [[], [3]]


def test_as_fast_as_possible_rows_come_in_turns_of_bounded_size() -> None:
    of = player(Listed([n * S for n in range(MOST_ROWS + 5)]), MAX)

    assert [len(turn) for turn in played(of, 0, 0)] == [MOST_ROWS, 5]


def test_rows_of_the_same_time_are_never_parted() -> None:
    of = player(Listed([0] * (MOST_ROWS + 5) + [S]), MAX)

    assert [len(turn) for turn in played(of, 0, 0)] == [MOST_ROWS + 6 - 1, 1]


def test_from_as_fast_as_possible_to_a_speed_it_goes_on_where_it_is() -> None:
    of = player(Listed([n * S for n in range(MOST_ROWS + 5)]), MAX)
    of.turn(0)
    of.clock.set_speed(1, 100)

    assert played(of, 100.5, 101) == [[], [MOST_ROWS]]


def test_a_jump_is_told_and_what_is_behind_it_keeps_its_distance() -> None:
    night = (10 * S, 1000 * S)
    of = Player(
        Listed([0, 10 * S, 1005 * S]), 1, lambda at, until: min(night[1], until) if night[0] < at < night[1] else None
    )

    assert played(of, 0, 10, 10.1, 15, 15.1) == [[0], [1], [], [], [2]]
    assert of.skips == [(10 * S + 100_000, 1000 * S)]


def test_lag_is_for_how_long_the_next_row_is_due() -> None:
    of = player(Listed([0, *([S] * 5), 4 * S]), speed=2)
    of.turn(0)

    assert of.lag_s(0.4) == 0
    assert of.lag_s(3.5) == 3


Command = tuple[str, Any]
_COMMANDS = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 5000)),
    st.tuples(st.just("speed"), st.sampled_from([0.5, 1.0, 2.0, 60.0])),
    st.tuples(st.sampled_from(["pause", "resume", "hold", "turn"]), st.none()),
    st.tuples(st.just("seek"), st.integers(0, 20)),
    st.tuples(st.just("lose"), st.integers(1, 5)),
)


class World:
    """Does commands to a player and to a plain model of it: who is due is found row by row, time by steps of 1 ms."""

    def __init__(self, times: list[int], batch_rows: int, delays: int) -> None:
        self.source = Listed(times, batch_rows, delays)
        self.player = player(self.source)
        self.times = times
        self.now_ms = 0
        self.position_us: int | None = None
        self.speed = 1.0
        self.is_paused = False
        self.is_held = True
        self.next_row = 0
        self.first_row = 0
        self.sent = 0

    def do(self, what: str, value: Any) -> None:
        now_s = self.now_ms / 1000
        if what == "pass":
            self.now_ms += value
            if self.position_us is not None and not self.is_paused and not self.is_held:
                self.position_us += round(value * 1000 * self.speed)
        elif what == "speed":
            self.player.clock.set_speed(value, now_s)
            self.speed = value
        elif what == "pause":
            self.player.clock.pause(now_s)
            self.is_paused = True
        elif what == "resume":
            self.player.clock.resume(now_s)
            self.is_paused = False
        elif what == "hold":
            self.player.clock.hold(now_s)
            self.is_held = True
        elif what == "seek":
            self.player.seek(value * S, now_s)
            self.position_us, self.is_held = value * S, True
            self.next_row = self.first_row = sum(time < value * S for time in self.times)
        elif what == "lose" and self.first_row < self.next_row:
            us = self.times[max(self.next_row - value, self.first_row)]
            first_lost = max(self.times.index(us), self.first_row)
            self.player.read_again(us, self.next_row - first_lost, now_s)
            self.sent -= self.next_row - first_lost
            self.next_row, self.is_held = first_lost, True
        elif what == "turn":
            self._turn(now_s)

    def _turn(self, now_s: float) -> None:
        handed = numbers(self.player.turn(now_s))
        # What was polled is known; the rest is not, and the clock stands.
        known = self.next_row + len(handed) if self.player.next_us is None else len(self.times)
        if handed or self.player.next_us is not None:
            if self.position_us is None:
                self.position_us = self.times[0]
            self.is_held = False
        else:
            self.is_held = True
        due = []
        if not self.is_paused and not self.is_held and self.position_us is not None:
            # The clock counts whole microseconds, and rounds when it is changed.
            position = self.player.position_us(now_s) or 0
            assert abs(position - self.position_us) <= 20
            due = [n for n in range(self.next_row, known) if self.times[n] <= position]
        assert handed == due
        self.next_row += len(due)
        self.sent += len(due)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 20_000).map(lambda ms: ms * 1000), min_size=1, max_size=30).map(sorted),
    st.integers(1, 31),
    st.integers(0, 2),
    st.lists(_COMMANDS, max_size=40),
)
def test_under_any_commands_rows_are_handed_out_in_order_once_and_at_their_time(
    times: list[int], batch_rows: int, delays: int, commands: list[Command]
) -> None:
    world = World(times, batch_rows, delays)

    for what, value in commands:
        world.do(what, value)
        world.do("turn", None)
    world.do("resume", None)
    for _ in range(len(times) * (delays + 1) + 2):
        world.do("pass", 60_000)
        world.do("turn", None)

    assert world.player.is_done
    assert world.player.sent == world.sent
    assert world.next_row == len(times)
