"""What does not hold of a topic, and where."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from stoculus.reading.feed import Int64s


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not hold. `check` is what was looked at; `day` and `offset` are the first's, where known.

    `topic` and `vendor`: a record of either side, decoded, where the two were compared.
    """

    check: str
    message: str
    day: date | None = None
    offset: int | None = None
    records: int | None = None
    topic: dict[str, Any] | None = None
    vendor: dict[str, Any] | None = None


@dataclass(slots=True)
class TopicReport:
    """What was found of a topic. `notes` tell what is odd and allowed."""

    topic: str
    state: str
    records: int = 0
    days: dict[date, int] = field(default_factory=dict)
    empty_days: int = 0
    first_ts_event: datetime | None = None
    last_ts_event: datetime | None = None
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether the topic is complete and nothing is wrong with it."""
        return self.state == "completed" and not self.faults


class Spots:
    """Faults of single records, counted by what is wrong; the first of each is told with its place."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Fault] = {}
        self._records: dict[tuple[str, str], int] = {}

    def add(self, check: str, what: str, offsets: Int64s, day: date | None = None, first: str = "") -> None:
        """Records of which the same is wrong; `first` says more of the first of them, which is of `day`."""
        if not len(offsets):
            return
        key = (check, what)
        message = f"{what}: {first}." if first else f"{what}."
        self._found.setdefault(key, Fault(check, message, day, int(offsets[0])))
        self._records[key] = self._records.get(key, 0) + len(offsets)

    def faults(self) -> list[Fault]:
        """What was found, in the order of its first record."""
        return sorted((self._counted(key, one) for key, one in self._found.items()), key=lambda one: one.offset or 0)

    def _counted(self, key: tuple[str, str], first: Fault) -> Fault:
        count = self._records[key]
        message = first.message if count == 1 else f"{count:,} records, of the first: {first.message}"
        return replace(first, message=message, records=count)
