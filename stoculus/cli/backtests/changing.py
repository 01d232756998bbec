"""`stoculus backtest pause`, `resume`, `cancel`, `retry` and `delete`."""

from typing import Annotated, Any

import typer

from stoculus.cli.backtests.asking import Id, connect, path
from stoculus.cli.output import Json, print_json

MaxBadRows = Annotated[int | None, typer.Option(min=0, help="Malformed rows that each topic may put into quarantine.")]


def pause(backtest_id: Id, as_json: Json = False) -> None:
    """Pause a backtest; what is on the topics stays.

    Its tasks stop at their next block of rows. `stoculus backtest resume` goes
    on from there.

    Prints what is wanted now, and the state.

    Exit codes: 0 done, 1 it is over or unknown, 2 wrong usage.

    Examples:
      stoculus backtest pause 42
    """
    _act(backtest_id, "pause", as_json)


def resume(backtest_id: Id, as_json: Json = False) -> None:
    """Go on with a paused backtest.

    Its tasks go on behind the last record that they wrote: nothing is written
    twice, nothing is left out.

    Prints what is wanted now, and the state.

    Exit codes: 0 done, 1 it is over or unknown, 2 wrong usage.

    Examples:
      stoculus backtest resume 42
    """
    _act(backtest_id, "resume", as_json)


def cancel(backtest_id: Id, as_json: Json = False) -> None:
    """Stop a backtest for good; what is on the topics stays.

    It cannot be resumed. `stoculus backtest delete` removes its topics.

    Prints what is wanted now, and the state.

    Exit codes: 0 done, 1 it is over or unknown, 2 wrong usage.

    Examples:
      stoculus backtest cancel 42
    """
    _act(backtest_id, "cancel", as_json)


def retry(backtest_id: Id, max_bad_rows: MaxBadRows = None, as_json: Json = False) -> None:
    """Go on with a failed backtest.

    Tasks that failed run again from where they stopped. Those that failed for
    malformed rows go on where --max-bad-rows tolerates them: such rows go to
    the topic's quarantine.

    Prints what is wanted now, and the state.

    Exit codes: 0 done, 1 it has not failed or is unknown, 2 wrong usage.

    Examples:
      stoculus backtest retry 42
      stoculus backtest retry 42 --max-bad-rows 3
    """
    _act(backtest_id, "retry", as_json, None if max_bad_rows is None else {"max_bad_rows": max_bad_rows})


def delete(backtest_id: Id, as_json: Json = False) -> None:
    """Delete a backtest and its topics. Its id is never used again.

    There is no way back, and no question: consumers of its topics lose them.

    Prints whether the topics are gone already.

    Exit codes: 0 done, 1 there is no such backtest, 2 wrong usage.

    Examples:
      stoculus backtest delete 42
    """
    answer = connect().ask("DELETE", path(backtest_id))
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"Backtest {answer['backtest_id']} is {answer['state']}, with {len(answer['topics'])} topics.")


def _act(backtest_id: str, action: str, as_json: bool, body: Any = None) -> None:
    answer = connect().ask("POST", f"{path(backtest_id)}:{action}", body)
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"Backtest {answer['backtest_id']}: wanted is {answer['wanted']}, it is {answer['state']}.")
