"""A replay: history played again, in a thread of its own, by a clock that can be paused, moved and made faster."""

import math
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Literal, Self

from stoculus.errors import Conflict, InvalidRequest
from stoculus.reading.source import Request
from stoculus.reading.times import MarketTime, start_us
from stoculus.replay.ahead import Ahead
from stoculus.replay.clock import MAX
from stoculus.replay.history import History
from stoculus.replay.hours import Hours
from stoculus.replay.outlet import Outlet, Takes
from stoculus.replay.player import TICK_S, Player, Timed
from stoculus.replay.status import Speed, State, Status
from stoculus.replay.times import new_york
from stoculus.replay.to_simulator import ToSimulator
from stoculus.replay.to_topics import ToTopics
from stoculus.settings import VendorSettings
from stoculus.topics import backtest_id


class Replay:
    """The records of a finished (or running) backtest or an export, sent again true to the spacing of their times.

    The clock is market time: a record is due at its `available_at`, a bar when it is over. `speed`: market seconds a
    second, or "max". `start` (included) and `end` (excluded, but a bare day is included) are of `available_at`, too.
    The time between sessions is passed over. `to`: "topics", which are `stock-aapl-quote-replay-<id>` and so on, `id`
    being the backtest's by default; or "simulator": its WebSocket, quotes and trades only. Where the topics hold
    records of an earlier run, a `start` is needed: then it goes on behind what each topic has.

        with Replay("42", speed=60) as replay:
            replay.pause()
            replay.seek("2024-01-02T10:00")
            replay.speed = "max"
            replay.resume()
            replay.wait()

    Leaving the block stops it. Where Kafka goes away it waits, and its clock with it. Raise NotFound, InvalidRequest,
    BacktestIncomplete, Conflict (the topics hold records), BrokerUnavailable, RegistryUnavailable, SchemaNotRegistered,
    ServiceUnavailable (no simulator), TopicLost (others write to the topics).
    """

    def __init__(
        self,
        source: str | int,
        *,
        speed: Speed = 1,
        to: Literal["topics", "simulator"] = "topics",
        id: str | None = None,
        topics: Sequence[str] | None = None,
        start: MarketTime | None = None,
        end: MarketTime | None = None,
        settings: VendorSettings | None = None,
    ) -> None:
        where = settings or VendorSettings.load(os.environ)
        request = Request.of(source, topics=topics, start=start, end=end)
        factor = _factor(speed)
        self._history = History(request, where)
        self.id = backtest_id(id or request.source.rpartition(":")[2].rpartition("/")[2], field="replay_id")
        self._outlet: Outlet = self._simulator(where) if to == "simulator" else self._topics(where)
        self._ahead = Ahead(self._rows_from)
        self._player: Player[Timed] = Player(self._ahead, factor, Hours(self._history.feeds).jump)
        self._takes = Takes.ROWS
        self._pass_us: int | None = None
        """Where reading has begun: by the last seek, None: at the start."""
        self._seek_us: int | None = None
        """Where to seek, as soon as all that was sent has arrived."""
        self._end: State | None = None
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)

    def __enter__(self) -> Self:
        try:
            self._outlet.open()
        except BaseException:
            self._outlet.close()
            raise
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.stop()
        self._thread.join()
        if kind is None:
            self._raise()

    @property
    def topics(self) -> list[str]:
        """Where the records go; to a simulator they go under the names of history."""
        return self._outlet.names

    @property
    def status(self) -> Status:
        with self._lock:
            return self._status(time.monotonic())

    @property
    def speed(self) -> Speed:
        return _speed(self._player.clock.speed)

    @speed.setter
    def speed(self, speed: Speed) -> None:
        factor = _factor(speed)
        with self._changing() as now_s:
            self._player.clock.set_speed(factor, now_s)

    def pause(self) -> None:
        """Let the clock stand; harmless where it does."""
        with self._changing() as now_s:
            self._player.clock.pause(now_s)

    def resume(self) -> None:
        """Let the clock go on; harmless where it does."""
        with self._changing() as now_s:
            self._player.clock.resume(now_s)

    def seek(self, time: MarketTime) -> None:
        """Go on at a market time: what was sent of later times is sent again, what is passed over is not sent."""
        us = start_us(time)
        with self._changing():
            self._seek_us = us

    def stop(self) -> None:
        """Send no more; `wait` returns when what was sent has arrived."""
        self._stopped.set()
        self._wake.set()

    def wait(self) -> Status:
        """Return when the replay has ended; raise what ended it early."""
        self._thread.join()
        self._raise()
        return self.status

    def _raise(self) -> None:
        """Raise what ended the thread, once."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    @contextmanager
    def _changing(self) -> Iterator[float]:
        with self._lock:
            yield time.monotonic()
        self._wake.set()

    def _topics(self, where: VendorSettings) -> ToTopics:
        outlet = ToTopics(where, self._history.feeds, self.id)
        if outlet.marks and self._history.start_us is None:
            outlet.close()
            # Of a topic that is still empty everything is to come.
            is_all = len(outlet.marks) == len(outlet.names)
            us = min(mark.us for mark in outlet.marks.values()) if is_all else self._first_us()
            raise Conflict(
                f"There are records on {outlet.names[min(outlet.marks)]} already.",
                remedy=f"Use another --id. Or --start {new_york(us)}: it goes on behind what each topic has.",
                field="id",
            )
        return outlet

    def _simulator(self, where: VendorSettings) -> ToSimulator:
        return ToSimulator(where.theta_url, self._history.feeds)

    def _first_us(self) -> int:
        with closing(self._history.rows(None, {})) as all_rows:
            return int(next(all_rows).available_us[0])

    def _rows_from(self, us: int | None) -> Iterator[Timed]:
        marks = dict(self._outlet.marks)
        return (self._outlet.prepare(rows) for rows in self._history.rows(us, marks))

    def _run(self) -> None:
        try:
            while not (self._stopped.is_set() or self._is_over()):
                if wait_s := self._turn(time.monotonic()):
                    self._wake.wait(wait_s)
                    self._wake.clear()
            self._outlet.settle()
            self._end = State.FINISHED if self._player.is_done else State.STOPPED
        except Exception as error:
            self._error, self._end = error, State.FAILED
        finally:
            self._ahead.close()
            self._outlet.close()

    def _is_over(self) -> bool:
        return self._player.is_done and self._seek_us is None and self._outlet.is_clear

    def _goes_on_us(self) -> int | None:
        """Before this nothing is missing on any topic. Of one that is still empty all may be."""
        marks = self._outlet.marks
        return min(mark.us for mark in marks.values()) if len(marks) == len(self._outlet.names) else self._pass_us

    def _turn(self, now_s: float) -> float:
        """Send what is due; for how many seconds nothing is."""
        self._takes = self._outlet.takes(now_s)
        with self._lock:
            if self._takes is Takes.NOTHING:
                self._player.clock.hold(now_s)
            elif self._takes is Takes.AGAIN:
                self._player.read_again(self._goes_on_us(), self._outlet.missing, now_s)
            elif self._seek_us is not None and self._outlet.is_clear:
                self._outlet.start_over()
                self._player.seek(self._seek_us, now_s)
                self._pass_us, self._seek_us = self._seek_us, None
            if self._takes is not Takes.ROWS or self._seek_us is not None:
                return TICK_S
            turn = self._player.turn(now_s)
        if turn.end > turn.first:
            self._outlet.send(turn.rows, turn.first, turn.end)
        return turn.wait_s

    def _status(self, now_s: float) -> Status:
        player, clock = self._player, self._player.clock
        state, waits_for = self._end or State.PLAYING, ""
        if self._end is None and clock.is_paused:
            state = State.PAUSED
        elif self._end is None and clock.is_held:
            state = State.WAITING
            has_rows = self._takes is Takes.NOTHING or player.is_done
            waits_for = self._outlet.waits_for if has_rows else self._history.trouble or "records"
        return Status(
            state,
            waits_for,
            player.position_us(now_s) if self._seek_us is None else self._seek_us,
            _speed(clock.speed),
            player.sent,
            player.lag_s(now_s),
            player.first_us,
            player.last_us,
            player.next_us,
            tuple(player.skips),
        )


def _factor(speed: Speed) -> float:
    if speed == "max":
        return MAX
    if isinstance(speed, int | float) and 0 < speed < math.inf:
        return float(speed)
    raise InvalidRequest(
        f"{speed!r} is no speed.", remedy="Use market seconds a second, such as 60, or max.", field="speed"
    )


def _speed(factor: float) -> Speed:
    return "max" if factor == MAX else factor
