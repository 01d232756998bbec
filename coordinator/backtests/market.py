"""What the market's calendar says of a request."""

from datetime import date, datetime

from coordinator.backtests.models import Submission
from coordinator.selections import OptionSelection
from stoculus import calendar
from stoculus.errors import InvalidRequest


def check_days(submission: Submission, now: datetime) -> None:
    """Raise InvalidRequest for days that no backtest can have: reversed, unknown, closed, not yet settled at `now`,
    or all after the expirations that are asked for."""
    start, end = submission.start, submission.end
    calendar.check_known(start, field="start")
    calendar.check_known(end, field="end")
    if start > end:
        raise InvalidRequest(f"start {start} is after end {end}.", remedy="Swap them.", field="start")
    today = calendar.new_york_day(now)
    if end > today:
        raise InvalidRequest(
            f"end {end} is in the future: in New York it is {today}.", remedy="Ask for days that are over.", field="end"
        )
    days = calendar.trading_days(start, end)
    if not days:
        before, after = calendar.nearest_trading_days(start)
        near = " and ".join(str(day) for day in (before, after) if day and day <= today)
        raise InvalidRequest(
            f"The market was closed from {start} to {end}.",
            remedy=f"The nearest trading days are {near}.",
            field="start",
        )
    if not calendar.is_settled(days[-1], now):
        settled = f"{calendar.settled_from(days[-1]):%Y-%m-%d %H:%M}"
        raise InvalidRequest(
            f"The history of {days[-1]} is not complete before {settled} New York.",
            remedy="Ask again then, or end a trading day earlier.",
            field="end",
        )
    _check_expirations(submission, days[0])


def _check_expirations(submission: Submission, first_day: date) -> None:
    for n, selection in enumerate(submission.data):
        if not isinstance(selection, OptionSelection) or selection.last_expiration is None:
            continue
        # The open interest of an evening is reported the next day.
        is_late = selection.schema_name == "openinterest"
        first = (is_late and calendar.nearest_trading_days(first_day)[0]) or first_day
        if selection.last_expiration < first:
            raise InvalidRequest(
                f"What expired by {selection.last_expiration} has no {selection.schema_name} from {first_day} on.",
                remedy="Ask for earlier days or for later expirations.",
                field=f"data[{n}].{'contracts' if selection.contracts else 'expirations'}",
            )
