"""What lines of the terminal's log mean.

Only `Starting server` is known from the vendor's side; the others are the names of its disconnect reasons and the texts
of its answers, in the spellings that were seen. A mark only hastens what the status word says in the end.
"""

import re
from enum import Enum, auto
from typing import Final


class Mark(Enum):
    """What a line says."""

    UPDATING = auto()
    SERVING = auto()
    REFUSED = auto()
    TAKEN = auto()


_PATTERNS: Final = (
    (Mark.TAKEN, r"invalid.session.?id|account.already.connected|more than one terminal"),
    (Mark.REFUSED, r"invalid.credentials|invalid.login|password might contain|user.does.not.exist|unauthenticated"),
    (Mark.UPDATING, r"\b(updating|downloading)\b"),
    (Mark.SERVING, r"starting server"),
)
_MARKS: Final = tuple((mark, re.compile(pattern, re.IGNORECASE)) for mark, pattern in _PATTERNS)


def mark_of(line: str) -> Mark | None:
    """The first mark that a line has."""
    return next((mark for mark, pattern in _MARKS if pattern.search(line)), None)
