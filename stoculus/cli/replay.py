"""`stoculus replay`: history played again."""

import sys
import time
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stoculus.calendar import NEW_YORK
from stoculus.cli import completing
from stoculus.cli.output import Json, print_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stoculus.replay import Replay, Speed, Status

_KEYS: Final = "space: pause, go on   left, right: a minute back, forth   up, down: twice, half as fast   q: end"
_SEEK: Final = timedelta(minutes=1)
_LOOK_S: Final = 0.1


class To(StrEnum):
    """Where records go."""

    TOPICS = "topics"
    SIMULATOR = "simulator"


def replay(
    backtest: Annotated[
        str,
        typer.Argument(
            help="A backtest's id, or the folder of an export: file:exports/42.",
            show_default=False,
            autocompletion=completing.backtest_ids,
        ),
    ],
    speed: Annotated[str, typer.Option(metavar="N|max", help="Market seconds a second, or as fast as possible.")] = "1",
    to: Annotated[To, typer.Option(help="New topics, or the WebSocket of the simulator.")] = To.TOPICS,
    replay_id: Annotated[
        str | None, typer.Option("--id", help="Ends the names of the new topics. Default: the backtest's id.")
    ] = None,
    topics: Annotated[
        list[str] | None,
        typer.Option("--topic", help="Only this one. May be repeated.", autocompletion=completing.topics),
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="From this market time on: 2024-01-02T09:30, New York's.")
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="TIME", help="Up to this market time; a day alone is included.")
    ] = None,
    as_json: Json = False,
) -> None:
    r"""Play a backtest again: its records at the pace of their times, on one clock.

    A record is sent when a strategy could have known it: a bar when it is
    over, a tick at its time. The time between sessions is passed over, which
    is told; early and late records keep their distances.

    To topics: stock-aapl-quote-replay-ID and so on, with the keys, values and
    times of the history and the headers of a live topic, so that whatever
    reads live topics (`stoculus tape --latency`) reads these. Topics that hold
    records are refused, but with --start it goes on behind what each has: so a
    replay that was stopped or killed goes on, nothing lost or doubled. Where
    Kafka is away it waits, and the clock with it.

    To the simulator (at STOCULUS_THETA_URL): quotes and trades as the vendor
    streams them, to the clients that have subscribed them; it waits for the
    first. The simulator's own day is quiet from then on.

    On a terminal it shows market time, speed, records and how late they are.
    Keys: space pauses and goes on, left and right seek a minute, up and down
    double and halve the speed, q ends. What is sought back is sent again.

    Exit codes: 0 finished, or ended by q, 1 there is no such backtest, its
    records will not come, or topics hold records, 2 wrong usage, 130 Ctrl-C.

    Examples:
      stoculus replay 42 --speed 60
      stoculus replay 42 --id fast --speed max --json
      stoculus replay 42 --start 2024-01-03T09:30 --end 2024-01-03T10:00 \
          --topic stock-aapl-quote-historical-42 --to simulator
    """
    from rich.console import Console

    from stoculus.replay import Replay

    console = Console(highlight=False, stderr=as_json)
    made = Replay(backtest, speed=_speed(speed), to=to.value, id=replay_id, topics=topics, start=start, end=end)
    began_s = time.monotonic()
    with made:
        more = f" and {len(made.topics) - 1} more topics" if len(made.topics) > 1 else ""
        what = f"{made.topics[0]}{more}" if to is To.TOPICS else "the simulator"
        console.print(f"Replaying {backtest} at {_shown_speed(made.speed)} to {what}.", soft_wrap=True)
        try:
            interrupted = _follow(made, console)
            status = made.wait()
        finally:
            seconds = time.monotonic() - began_s
            console.print(_end(made.status, to, seconds), soft_wrap=True)
    if as_json:
        print_json(_summary(made, to, status, seconds))
    if interrupted:
        raise KeyboardInterrupt


def _speed(text: str) -> "Speed":
    try:
        return "max" if text == "max" else float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is neither a number nor max.", param_hint="--speed") from error


def _follow(replay: "Replay", console: "Console") -> bool:
    """Return when the replay has ended; whether by Ctrl-C."""
    try:
        if console.is_terminal and sys.stdin.isatty():
            _play(replay, console)
        else:
            replay.wait()
    except KeyboardInterrupt:
        replay.stop()
        return True
    return False


def _play(replay: "Replay", console: "Console") -> None:
    from rich.live import Live

    from stoculus.cli.keys import Keys

    console.print(_KEYS, style="dim", soft_wrap=True)
    told = 0
    with Keys() as keys, Live(console=console, refresh_per_second=10) as live:
        while not (status := replay.status).has_ended:
            live.update(_line(status))
            for skip in status.skips[told:]:
                console.print(_skip(*skip), style="dim", soft_wrap=True)
            told = len(status.skips)
            for key in keys.pressed(_LOOK_S):
                _press(replay, key)
        live.update(_line(status))


def _press(replay: "Replay", key: str) -> None:
    from stoculus.replay.times import moment

    status = replay.status
    if key == "space":
        (replay.resume if status.state == "paused" else replay.pause)()
    elif key in ("left", "right") and status.market_us is not None:
        replay.seek(moment(status.market_us) + (_SEEK if key == "right" else -_SEEK))
    elif key in ("up", "down") and status.speed != "max":
        replay.speed = status.speed * (2 if key == "up" else 0.5)
    elif key == "q":
        replay.stop()


def _line(status: "Status") -> "Text":
    from rich.text import Text

    from stoculus.replay.times import moment

    at = moment(status.market_us).astimezone(NEW_YORK) if status.market_us is not None else None
    return Text.assemble(
        (f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}" if at else "…", "bold"),
        f"  {_shown_speed(status.speed)}",
        (f"  {status.records:,} records", "cyan"),
        (f"  {status.lag_s:.1f} s late" if status.lag_s >= _LOOK_S else "", "yellow"),
        (f"  {status.state}{f' for {status.waits_for}' if status.waits_for else ''}", "dim"),
    )


def _shown_speed(speed: "Speed") -> str:
    return "full speed" if speed == "max" else f"x{speed:g}"


def _skip(from_us: int, to_us: int) -> str:
    from stoculus.replay.times import new_york

    return f"No session until {new_york(to_us)}: {timedelta(microseconds=to_us - from_us)} passed over."


def _end(status: "Status", to: To, seconds: float) -> str:
    from stoculus.replay.times import new_york

    told = f"{status.state.capitalize()}: {status.records:,} records in {seconds:.1f} s"
    if status.first_us is not None and status.last_us is not None:
        told += f", of market time {new_york(status.first_us)} to {new_york(status.last_us)}"
    if status.skips:
        told += f"; {timedelta(microseconds=status.skipped_us)} between sessions were passed over"
    # After a failure nobody knows what has arrived; topics tell, and what they have is not sent again.
    is_from_first = status.state == "failed" and to is To.TOPICS
    goes_on_us = status.first_us if is_from_first else status.next_us
    if goes_on_us is not None:
        told += f". The same with --start {new_york(goes_on_us)} goes on"
    return told + "."


def _summary(replay: "Replay", to: To, status: "Status", seconds: float) -> dict[str, Any]:
    from stoculus.replay.times import moment

    times = {"first": status.first_us, "last": status.last_us, "next": status.next_us}
    return {
        "replay_id": replay.id,
        "to": to.value,
        "topics": replay.topics,
        "state": status.state,
        "records": status.records,
        **{name: None if us is None else moment(us) for name, us in times.items()},
        "skipped_seconds": status.skipped_us / 1e6,
        "seconds": round(seconds, 3),
    }
