"""Durations as requests write them."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

_WRITTEN = re.compile(r"(\d{1,8})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: Any) -> Any:
    if isinstance(value, str) and (match := _WRITTEN.fullmatch(value)):
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    if isinstance(value, str) and value.startswith("P"):
        return value
    raise ValueError("a duration is written as 30m, 12h, 7d, 4w or P7DT12H")


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Ttl = Annotated[Duration, Field(gt=timedelta(0), le=timedelta(days=36500))]
