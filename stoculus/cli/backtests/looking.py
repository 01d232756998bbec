"""`stoculus backtest watch`, `list`, `show` and `receipt`."""

from typing import Any

from stoculus.cli.backtests.asking import Id, connect, follow, path
from stoculus.cli.output import Json, JsonLines, print_json, print_table, utc


def watch(backtest_id: Id, as_json: JsonLines = False) -> None:
    """Show the progress of a backtest until it ends.

    On a terminal each topic is a bar; else each step is a line. Ctrl-C ends
    the watching, not the backtest.

    Prints at last how it ended, and why tasks failed. With --json the backtest
    as the coordinator describes it, a line at each change.

    Exit codes: 0 completed, 1 failed or cancelled, 2 wrong usage, 130 Ctrl-C.

    Examples:
      stoculus backtest watch 42
      stoculus backtest watch 42 --json > progress.ndjson
    """
    follow(connect(), backtest_id, as_json=as_json)


def list_backtests(as_json: Json = False) -> None:
    """List the backtests, the newest first.

    Prints id, state, number of topics, records so far, and when each was
    submitted. Deleted ones are not listed.

    Exit codes: 0 done, 1 the coordinator does not answer, 2 wrong usage.

    Examples:
      stoculus backtest list
      stoculus backtest list --json
    """
    client = connect()
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.ask("GET", "", params={"limit": "200"} | ({"cursor": cursor} if cursor else {}))
        found += page["backtests"]
        if not (cursor := page["next_cursor"]):
            break
    if as_json:
        print_json(found)
        return
    rows = [
        (one["backtest_id"], one["state"], str(len(one["topics"])), f"{one['records']:,}", utc(one["created_at"]))
        for one in found
    ]
    print_table(("backtest", "state", ">topics", ">records", "submitted (UTC)"), rows)


def show(backtest_id: Id, as_json: Json = False) -> None:
    """Show a backtest and its topics.

    Prints for each topic its state, its records, up to which market time it
    is complete, and what it waits for or why it failed.

    Exit codes: 0 done, 1 there is no such backtest, 2 wrong usage.

    Examples:
      stoculus backtest show 42
      stoculus backtest show 42 --json
    """
    answer = connect().ask("GET", path(backtest_id))
    if as_json:
        print_json(answer)
        return
    title = f"Backtest {answer['backtest_id']}: {answer['state']}, {answer['records']:,} records"
    rows = [_task_row(task) for task in answer["tasks"]]
    print_table(("topic", "state", ">records", ">of about", "complete until (UTC)", "remarks"), rows, title=title)


def receipt(backtest_id: Id, as_json: Json = False) -> None:
    """Show what a completed backtest wrote: its receipt.

    Prints for each topic its records, first and last event, trading days,
    what was left out, the offset of the last record, and the hash over all
    records. With --json also the records of each day, and why days are empty.

    Exit codes: 0 done, 1 it is not completed or unknown, 2 wrong usage.

    Examples:
      stoculus backtest receipt 42
      stoculus backtest receipt 42 --json > receipt.json
    """
    answer = connect().ask("GET", path(backtest_id) + "/receipt")
    if as_json:
        print_json(answer)
        return
    rows = [
        (
            each["task_id"],
            f"{each['records']:,}",
            utc(each["first_ts_event"]),
            utc(each["last_ts_event"]),
            str(len(each["days"])),
            f"{each['empty_bars']:,}",
            f"{each['bad_rows']:,}",
            "" if each["last_offset"] is None else str(each["last_offset"]),
            each["hash"][:16],
        )
        for each in answer["receipts"]
    ]
    numbers = (">days", ">empty rows left out", ">bad rows", ">last offset")
    title = f"Receipt of backtest {answer['backtest_id']}: {answer['records']:,} records"
    print_table(("topic", ">records", "first (UTC)", "last (UTC)", *numbers, "hash"), rows, title=title)


def _task_row(task: dict[str, Any]) -> tuple[str, ...]:
    failure = task["failure"] or {}
    remarks = [task["waiting"], failure.get("message"), failure.get("remedy"), *task["warnings"]]
    about = "" if task["state"] == "completed" else f"{task['rows_expected']:,}"
    told = " ".join(remark for remark in remarks if remark)
    return (task["topic"], task["state"], f"{task['records']:,}", about, utc(task["complete_until"]), told)
