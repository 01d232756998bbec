"""The records of a topic as NDJSON, CSV or an Arrow stream."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.csv

from coordinator.backtests.store import Backtest
from stoculus import calendar
from stoculus.checkpoints import Checkpoint
from stoculus.connections import Kafka, Registry
from stoculus.errors import InvalidRequest, NotFound
from stoculus.reading.decoding import Decoder
from stoculus.reading.range import read_range
from stoculus.reading.seek import offset_at

MAX_RECORDS: Final = 100_000
_SPACE_FOR_PLUS: Final = re.compile(r"(T.*) (?=\d\d:?\d\d$)")


def _ndjson(batch: pa.RecordBatch) -> bytes:
    option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
    return b"".join(orjson.dumps(row, option=option) for row in batch.to_pylist())


def _csv(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(batch, sink)
    return sink.getvalue()


def _arrow(batch: pa.RecordBatch) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


FORMATS: Final[dict[str, Callable[[pa.RecordBatch], bytes]]] = {
    "application/x-ndjson": _ndjson,
    "text/csv": _csv,
    "application/vnd.apache.arrow.stream": _arrow,
}


@dataclass(frozen=True, slots=True)
class Page:
    """Records as bytes, and the cursor to go on with: None when the topic is complete and at its end."""

    content: bytes
    media_type: str
    next_cursor: int | None


def choose_format(accept: str) -> str:
    """The media type to answer with: the first that `Accept` names and we have, else NDJSON."""
    named = (part.split(";")[0].strip().lower() for part in accept.split(","))
    return next((media_type for media_type in named if media_type in FORMATS), "application/x-ndjson")


def choose_topic(backtest: Backtest, topic: str | None) -> str:
    """The topic to read; it may be left out where there is only one."""
    if topic is None and len(backtest.topics) == 1:
        return backtest.topics[0]
    if topic not in backtest.topics:
        what = "Name a topic of the backtest." if topic is None else f"{topic[:260]!r} is no topic of the backtest."
        some = ", ".join(backtest.topics[:5]) + (" …" if len(backtest.topics) > 5 else "")
        raise InvalidRequest(what, remedy=f"Use one of {some}.", field="topic")
    return topic


def market_time_us(text: str) -> int:
    """A market time from a URL, where a plus that was not escaped arrives as a space. Raises InvalidRequest."""
    return calendar.market_time_us(_SPACE_FOR_PLUS.sub(r"\1+", text), field="from")


class RecordReader:
    """Reads pages of the topics of backtests. Blocking: call it in a thread."""

    def __init__(self, kafka: Kafka, registry: Registry) -> None:
        self._kafka = kafka
        self._decoder = Decoder(registry)

    def read(
        self,
        backtest: Backtest,
        topic: str,
        checkpoint: Checkpoint | None,
        start: str | int | None,
        limit: int,
        accept: str,
    ) -> Page:
        """Up to `limit` records from a start on: an offset, an ISO time, or None for the first record."""
        record = next(one.task.record_schema.record for one in backtest.planned if one.topic == topic)
        try:
            offset = offset_at(self._kafka, topic, market_time_us(start)) if isinstance(start, str) else start or 0
            batch, after = read_range(self._kafka, self._decoder, topic, record, offset, limit)
        except NotFound:
            if checkpoint is not None:
                raise
            # The topic is about to be created.
            batch, after = pa.RecordBatch.from_pylist([], schema=record.arrow), 0
        complete = checkpoint is not None and checkpoint.state == "completed"
        last = checkpoint.last_offset if checkpoint else None
        at_end = batch.num_rows < limit or (last is not None and after > last)
        media_type = choose_format(accept)
        return Page(FORMATS[media_type](batch), media_type, None if complete and at_end else after)
