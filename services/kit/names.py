"""The vendor's list of symbols or roots, by canonical name."""

import difflib
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from stoculus.errors import InvalidRequest

FRESH_FOR: Final = timedelta(hours=1)


class NameList:
    """Names of a kind (`stock`, `option root`) as `ask` gives them, asked for once an hour. Thread-safe."""

    def __init__(self, kind: str, ask: Callable[[], Iterable[str]], now: Callable[[], datetime]) -> None:
        self._kind = kind
        self._ask = ask
        self._now = now
        self._lock = threading.Lock()
        self._names: dict[str, str] = {}
        self._until: datetime | None = None

    def vendor_name(self, canonical: str, *, field: str) -> str:
        """The name as the vendor spells it; raise InvalidRequest, with the nearest ones, where it has none."""
        names = self._known()
        if canonical not in names:
            near = difflib.get_close_matches(canonical, names, n=3)
            remedy = f"Did you mean {' or '.join(near)}?" if near else f"See the vendor's list of {self._kind}s."
            raise InvalidRequest(f"The vendor knows no {self._kind} {canonical}.", remedy=remedy, field=field)
        return names[canonical]

    def _known(self) -> dict[str, str]:
        with self._lock:
            if self._until is None or self._now() >= self._until:
                self._names = {name.upper().replace("/", "."): name for name in self._ask()}
                self._until = self._now() + FRESH_FOR
            return self._names
