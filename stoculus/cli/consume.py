"""`stoculus consume`: the records of a topic, typed."""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stoculus import calendar
from stoculus.cli import completing
from stoculus.cli.connections import reachable_kafka, settings
from stoculus.cli.output import JsonLines
from stoculus.errors import InvalidRequest

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER_WIDTH: Final = 8


def market_time_us(text: str) -> int:
    """Microseconds since the epoch of an ISO date or time; without an offset it is New York time."""
    try:
        return calendar.market_time_us(text)
    except InvalidRequest as error:
        raise typer.BadParameter(f"{error} {error.remedy}") from error


From = Annotated[
    int | None,
    typer.Option(
        "--from",
        metavar="TIME",
        parser=market_time_us,
        help="Begin at this market time (ISO). Without an offset it is New York time: 2024-01-02T09:30.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="End after so many records.")]


def consume(
    topic: Annotated[str, typer.Argument(help="Its name.", show_default=False, autocompletion=completing.topics)],
    group: Annotated[
        str | None, typer.Option(help="Read as a member of this consumer group, from where it stands, and commit.")
    ] = None,
    start_us: From = None,
    limit: Limit = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Do not end at the end of the topic: wait for more.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    as_json: JsonLines = False,
) -> None:
    r"""Print the records of a topic, decoded by the registry.

    It reads committed records from the first one, or from --from, to the end
    of the topic as of now. A market time is found by binary search, so a slice
    of a large topic costs its own size. Without --group no offsets are
    committed; with it, they are, behind what was printed.

    Prints a table with times of New York; with --csv and --json times are UTC.

    Exit codes: 0 done, 1 there is no such topic or no broker, 2 wrong usage,
    130 Ctrl-C.

    Examples:
      stoculus consume stock-aapl-ohlcv1m-historical-42 --limit 5
      stoculus consume stock-aapl-trade-historical-42 --from 2024-01-03T10:00 \
          --csv > trades.csv
      stoculus consume stock-aapl-quote-historical-42 --group mine --json
    """
    if group is not None and start_us is not None:
        raise typer.BadParameter("--group goes on where the group stands: leave --from out.")
    if as_csv and as_json:
        raise typer.BadParameter("--csv and --json: use one of them.")
    write = (_csv if as_csv else _json if as_json else _table)()
    for batch in _batches(topic, group, start_us, limit, follow):
        write(batch)
        sys.stdout.flush()


def _batches(
    topic: str, group: str | None, start_us: int | None, limit: int | None, follow: bool
) -> "Iterator[pa.RecordBatch]":
    from stoculus.reading.decoding import Decoder
    from stoculus.reading.group import Subscription
    from stoculus.reading.range import follow_topic, read_topic
    from stoculus.reading.seek import offset_at

    where = settings()
    kafka, decoder = reachable_kafka(where.kafka), Decoder(where.registry)
    if group is not None:
        yield from Subscription(where, [topic], group, until_end=not follow, limit=limit)
        return
    start = None if start_us is None else offset_at(kafka, topic, start_us)
    read = follow_topic if follow else read_topic
    yield from read(kafka, decoder, topic, start, limit=limit)


def _json() -> "Callable[[pa.RecordBatch], None]":
    import orjson

    def write(batch: "pa.RecordBatch") -> None:
        lines = (orjson.dumps(row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE) for row in batch.to_pylist())
        sys.stdout.write(b"".join(lines).decode())

    return write


def _csv() -> "Callable[[pa.RecordBatch], None]":
    import pyarrow as pa
    from pyarrow import csv

    header = True

    def write(batch: "pa.RecordBatch") -> None:
        nonlocal header
        lines = pa.BufferOutputStream()
        csv.write_csv(batch, lines, csv.WriteOptions(include_header=header, quoting_style="needed"))
        sys.stdout.write(lines.getvalue().to_pybytes().decode())
        header = False

    return write


def _table() -> "Callable[[pa.RecordBatch], None]":
    import pyarrow as pa

    widths: list[int] = []

    def write(batch: "pa.RecordBatch") -> None:
        columns = [_texts(column) for column in batch.columns]
        names = [f.name + (" (New York)" if pa.types.is_timestamp(f.type) else "") for f in batch.schema]
        numeric = [pa.types.is_integer(f.type) or pa.types.is_floating(f.type) for f in batch.schema]
        rows = list(zip(*columns, strict=True))
        if not widths:
            least = (max(len(name), _NUMBER_WIDTH * number) for name, number in zip(names, numeric, strict=True))
            widths.extend(max(width, *map(len, column)) for width, column in zip(least, columns, strict=True))
            rows.insert(0, tuple(names))
        cells = list(zip(widths, numeric, strict=True))
        for row in rows:
            parts = (t.rjust(w) if number else t.ljust(w) for t, (w, number) in zip(row, cells, strict=True))
            sys.stdout.write("  ".join(parts).rstrip() + "\n")

    return write


def _texts(column: Any) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        # The vendor's times have milliseconds.
        column = pc.local_timestamp(column.cast(pa.timestamp("us", str(calendar.NEW_YORK)))).cast(pa.timestamp("ms"))
    return [text or "" for text in column.cast(pa.string()).to_pylist()]
