"""Market times of a replay as people and commands write them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from stoculus.calendar import NEW_YORK

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def moment(us: int) -> datetime:
    """Microseconds since the epoch as an aware moment."""
    return _EPOCH + timedelta(microseconds=us)


def new_york(us: int) -> str:
    """The same as New York's wall time, ISO 8601 without a zone: what `--start` takes."""
    text = moment(us).astimezone(NEW_YORK).replace(tzinfo=None).isoformat()
    return text.rstrip("0") if "." in text else text
