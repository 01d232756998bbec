"""The vendor's history of a live topic, as the live topic holds it."""

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.kit.chains import Chains
from services.kit.fetch import BLOCK_BYTES
from services.kit.names import NameList
from services.kit.records import option, stock
from services.live_stream.bars.grid import day_at, midnight_us
from services.live_stream.topic import LiveTopic
from stoculus.calendar import NEW_YORK
from stoculus.errors import NoData, VendorAnswerMalformed
from stoculus.instruments import OptionContract, Stock
from theta_client.client import Block, HistoryRequest, OptionRequest, Request, ThetaClient, Window

Value = TypeVar("Value")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MS_US: Final = 1_000
_ROWS_AT_ONCE: Final = 65_536


@dataclass(frozen=True, slots=True)
class _Span:
    """A part of one New York day: from_us <= event time < until_us, microseconds UTC."""

    day: date
    from_us: int
    until_us: int

    @property
    def window(self) -> Window:
        """The least that can be asked for: the vendor takes milliseconds, both ends included."""
        return Window(self.day, self.day, (self.day,), _wall_time(self.from_us), _wall_time(self.until_us - 1))


class _OfTheTape(HistoryRequest):
    """History of the tape that is streamed, Nasdaq Basic, which the vendor has of the current day (rest.md 4).

    Of earlier days it answers with the SIP all the same.
    """

    __slots__ = ()

    @property
    def params(self) -> dict[str, str]:
        """See Request."""
        return super().params | {"venue": "nqb"}


class History:
    """Ticks of live topics. Thread-safe; every method may raise the vendor errors, and Cancelled."""

    def __init__(self, client: ThetaClient, symbols: NameList, chains: Chains) -> None:
        self._client = client
        self._symbols = symbols
        self._chains = chains

    def records(
        self,
        topic: LiveTopic,
        instruments: Collection[Stock | OptionContract],
        from_us: int,
        until_us: int,
        aborted: threading.Event,
    ) -> Iterator[pa.RecordBatch]:
        """Columns of `topic.tick_record` with from_us <= event time < until_us (microseconds UTC), day by day.

        One request a New York day. Stocks in the vendor's order; options by time, then as a chain is ordered, each
        contract in the vendor's order. Extended conditions are null: the stream has none. Nothing where the vendor has
        nothing. `instruments`: the topic's stock, or contracts of its root; those that have expired have no rows.
        Raise VendorAnswerMalformed for any row that cannot be read or was not asked for, also after some batches.
        """
        for span in _spans(from_us, until_us):
            wanted = {one for one in instruments if isinstance(one, Stock) or one.expiration >= span.day}
            if not wanted:
                continue
            if topic.asset == "stock":
                yield from self._of_stock(topic, span, aborted)
            else:
                contracts = frozenset(one for one in wanted if isinstance(one, OptionContract))
                yield from self._of_options(topic, contracts, span, aborted)

    def _of_stock(self, topic: LiveTopic, span: _Span, aborted: threading.Event) -> Iterator[pa.RecordBatch]:
        mapping = stock.MAPPINGS[topic.ticks]
        symbol = self._symbols.vendor_name(topic.symbol, field="ticker")
        request = _OfTheTape(mapping.endpoint, symbol, span.window, _interval(topic))
        for block in self._blocks(request, mapping.columns, aborted):
            rows = stock.to_records(block.batch, mapping, topic.tick_record, topic.symbol)
            rows = _within(rows, span, request)
            if rows.num_rows:
                yield _as_streamed(rows)

    def _of_options(
        self, topic: LiveTopic, wanted: frozenset[OptionContract], span: _Span, aborted: threading.Event
    ) -> Iterator[pa.RecordBatch]:
        mapping, record = option.MAPPINGS[topic.ticks], topic.tick_record
        root = self._chains.vendor_root(topic.symbol, field="root")
        request = _narrowed(OptionRequest(mapping.endpoint, root, span.window, interval=_interval(topic)), wanted)
        held = [pa.RecordBatch.from_pylist([], option.sortable_schema(record))]
        for block in self._blocks(request, mapping.columns, aborted):
            rows = option.to_sortable(block.batch, block.lines, mapping, record, root)
            held.append(option.wanted_rows(_within(rows, span, request), topic.symbol, wanted.__contains__))
        rows = _joined(held)
        order: NDArray[np.intp] = np.lexsort([rows[key].to_numpy() for key in ("line", "contract", "ts_event")])
        contracts = option.Contracts(topic.symbol)
        for start in range(0, len(order), _ROWS_AT_ONCE):
            some = rows.take(order[start : start + _ROWS_AT_ONCE])
            yield _as_streamed(option.to_records(some, record, contracts))

    def _blocks(self, request: Request, columns: pa.Schema, aborted: threading.Event) -> Iterator[Block]:
        try:
            for block in self._client.history(request, columns, block_bytes=BLOCK_BYTES, aborted=aborted):
                if block.bad_rows:
                    first = block.bad_rows[0]
                    raise _malformed(
                        f"{len(block.bad_rows)} rows of the answer to {request} cannot be read, "
                        f"first line {first.line}: {first.cause}.",
                        first.raw.decode("utf-8", "replace"),
                    )
                yield block
        except NoData:
            return


def _spans(from_us: int, until_us: int) -> Iterator[_Span]:
    while from_us < until_us:
        day = day_at(from_us)
        end_us = min(until_us, midnight_us(day + timedelta(days=1)))
        yield _Span(day, from_us, end_us)
        from_us = end_us


def _interval(topic: LiveTopic) -> str | None:
    return "tick" if topic.ticks == "quote" else None


def _narrowed(whole: OptionRequest, wanted: Collection[OptionContract]) -> OptionRequest:
    """The least that one request can ask for and that has all wanted contracts."""
    expiration = _only({one.expiration for one in wanted})
    last = max(one.expiration for one in wanted)
    return replace(
        whole,
        expiration=expiration,
        strike_thousandths=_only({one.strike_thousandths for one in wanted}),
        right=_only({one.right for one in wanted}) or "both",
        max_dte=(last - whole.window.start).days if expiration is None else None,
    )


def _only(values: Collection[Value]) -> Value | None:
    return next(iter(values)) if len(values) == 1 else None


def _within(rows: pa.RecordBatch, span: _Span, request: Request) -> pa.RecordBatch:
    """The rows of the span; what was asked for begins and ends at whole milliseconds."""
    times: Any = rows["ts_event"].cast(pa.int64()).to_numpy(zero_copy_only=False)
    odd = np.flatnonzero((times < span.from_us - _MS_US) | (times >= span.until_us + _MS_US))
    if len(odd):
        at = _EPOCH + int(times[odd[0]]) * _MICROSECOND
        raise _malformed(f"{len(odd)} rows of the answer to {request} were not asked for, one of {at.isoformat()}.")
    inside = (times >= span.from_us) & (times < span.until_us)
    return rows if inside.all() else rows.filter(pa.array(inside))


def _as_streamed(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The records as the stream would give them: it has no extended conditions."""
    arrays = [
        pa.nulls(rows.num_rows, field.type) if field.name.startswith("ext_condition") else rows[field.name]
        for field in rows.schema
    ]
    return pa.RecordBatch.from_arrays(cast(Any, arrays), schema=rows.schema)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    whole = [
        pa.chunked_array([batch.column(place) for batch in batches], field.type).combine_chunks()
        for place, field in enumerate(batches[0].schema)
    ]
    return pa.RecordBatch.from_arrays(cast(Any, whole), schema=batches[0].schema)


def _malformed(message: str, detail: str = "") -> VendorAnswerMalformed:
    return VendorAnswerMalformed(
        message, remedy="Try again; if it stays, report it with the terminal's log.", detail=detail
    )


def _wall_time(us: int) -> time:
    """New York wall time, whole milliseconds."""
    at = (_EPOCH + us * _MICROSECOND).astimezone(NEW_YORK)
    return at.time().replace(microsecond=at.microsecond // _MS_US * _MS_US)
