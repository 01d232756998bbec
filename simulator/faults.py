"""Faults scripted over HTTP: what can go wrong, for which requests, how often.

Rows count from 1 (the header is 0). Faults of rows and columns bite on CSV bodies only; a row beyond the end is none.
"""

import datetime
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator.parameters import Query, covers


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Status(_Model):
    """A status with the vendor's text, or with `body`."""

    kind: Literal["status"]
    status: int = Field(ge=200, le=599)
    body: str | None = None


class Reset(_Model):
    """The connection is reset after so many bytes of the body; 0: before the headers."""

    kind: Literal["reset"]
    after_bytes: int = Field(default=0, ge=0)


class Cut(_Model):
    """The body ends in good order after so many bytes, in the middle of a row maybe."""

    kind: Literal["cut"]
    after_bytes: int = Field(ge=0)


class TruncateChunked(_Model):
    """The connection is closed after so many bytes of a chunked body, without the last chunk."""

    kind: Literal["truncate_chunked"]
    after_bytes: int = Field(ge=0)


class Silent(_Model):
    """Nothing is sent, or the headers only, for so many seconds; then the connection is closed."""

    kind: Literal["silent"]
    seconds: float = Field(gt=0)
    headers: bool = False


class Slow(_Model):
    """The body trickles."""

    kind: Literal["slow"]
    bytes_per_s: int = Field(gt=0)


class Stall(_Model):
    """The body pauses after so many bytes, then goes on."""

    kind: Literal["stall"]
    after_bytes: int = Field(ge=0)
    seconds: float = Field(gt=0)


class Instead(_Model):
    """200 with an empty body, an HTML page, or the words of 472."""

    kind: Literal["empty_200", "html_200", "text_200"]


class Row(_Model):
    """A row is damaged: a cell goes or comes, becomes `NaN`, is not UTF-8, or its last digit changes (`revised`).

    `out_of_order`: the row and the last row change places. `column` is the last one unless named.
    """

    kind: Literal["drop_cell", "extra_cell", "nan", "non_utf8", "revised", "out_of_order"]
    row: int = Field(default=1, ge=1)
    column: str | None = None


class Column(_Model):
    """A column of the whole body gets another name, goes, comes (`added`, at the end), or moves to the end."""

    kind: Literal["column_renamed", "column_missing", "column_added", "column_moved"]
    column: str | None = None


class AnotherLogin(_Model):
    """Another terminal logs in on the account: every data request is 478 and the status UNVERIFIED."""

    kind: Literal["another_login"]


class StreamRefused(_Model):
    """A subscription is answered by a word of refusal; `match.symbol` is its root."""

    kind: Literal["stream_refused"]
    response: Literal["ERROR", "MAX_STREAMS_REACHED", "INVALID_PERMS"] = "ERROR"


class StreamDrop(_Model):
    """The stream's connections end without a closing frame (1006). This and what follows happens when it is posted."""

    kind: Literal["stream_drop"]


class StreamHalfOpen(_Model):
    """The stream's connections stay open, but nothing is read from them or sent on them any more."""

    kind: Literal["stream_half_open"]


class StreamSilence(_Model):
    """The stream's ticks are lost for so many seconds; STATUS goes on."""

    kind: Literal["stream_silence"]
    seconds: float = Field(gt=0)


class StreamDisconnected(_Model):
    """The terminal loses the vendor for so many seconds, then logs in again; until then the stream's ticks are lost."""

    kind: Literal["stream_disconnected"]
    seconds: float = Field(gt=0)


class StreamBurst(_Model):
    """The day is played so many times as fast for so many seconds."""

    kind: Literal["stream_burst"]
    seconds: float = Field(gt=0)
    factor: float = Field(default=20, gt=1)


class StreamTick(_Model):
    """The next tick is sent twice; or an older one is sent again behind a later one."""

    kind: Literal["stream_duplicate", "stream_backward"]


StreamAct = StreamDrop | StreamHalfOpen | StreamSilence | StreamDisconnected | StreamBurst | StreamTick
StreamFault = StreamRefused | StreamAct
HttpFault = Status | Reset | Cut | TruncateChunked | Silent | Slow | Stall | Instead | Row | Column | AnotherLogin
Fault = Annotated[HttpFault | StreamFault, Field(discriminator="kind")]


class Match(_Model):
    """The requests that are meant: all that is given must fit. A request fits `date` if its range includes it."""

    path: str | None = Field(default=None, description="as behind /v3/, such as stock/history/trade")
    symbol: str | None = None
    date: datetime.date | None = None

    def fits(self, path: str, query: Query) -> bool:
        return (
            (self.path is None or self.path.strip("/") == path)
            and (self.symbol is None or self.symbol == query.get("symbol"))
            and (self.date is None or covers(query, self.date))
        )


class Script(_Model):
    """A fault, the requests it meets, how many of them (None: until cleared), and how many pass before."""

    match: Match = Match()
    times: int | None = Field(default=None, ge=1)
    after_requests: int = Field(default=0, ge=0)
    fault: Fault


@dataclass(slots=True)
class Rule:
    """A script and how far it has run."""

    id: int
    script: Script
    seen: int = 0
    fired: int = 0

    @property
    def spent(self) -> bool:
        return self.script.times is not None and self.fired >= self.script.times

    def meets(self, path: str, query: Query) -> bool:
        """Count a request; whether the fault strikes it."""
        if self.spent or not self.script.match.fits(path, query):
            return False
        self.seen += 1
        if self.seen <= self.script.after_requests:
            return False
        self.fired += 1
        return True


@dataclass(slots=True)
class Faults:
    """The rules, in the order in which they were posted. At most one fault strikes a request."""

    rules: list[Rule] = field(default_factory=list)
    _next_id: int = 1

    def add(self, script: Script) -> Rule:
        rule = Rule(self._next_id, script)
        self._next_id += 1
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        self.rules.clear()

    def strike(self, path: str, query: Query) -> HttpFault | None:
        """The fault of the first rule that meets the request."""
        for rule in self.rules:
            fault = rule.script.fault
            if not isinstance(fault, StreamFault) and rule.meets(path, query):
                return fault
        return None

    def refuse(self, root: str) -> StreamRefused | None:
        """The refusal of the first rule that meets a subscription."""
        for rule in self.rules:
            fault = rule.script.fault
            if isinstance(fault, StreamRefused) and rule.meets("stream", {"symbol": root}):
                return fault
        return None

    @property
    def session_taken(self) -> bool:
        """Whether another login holds the account now."""
        return any(
            isinstance(rule.script.fault, AnotherLogin) and not rule.spent and rule.seen >= rule.script.after_requests
            for rule in self.rules
        )
