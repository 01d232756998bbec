"""Tables to bytes: CSV, JSON, NDJSON and HTML as the terminal writes them (rest.md 3).

A block is a list of equally long columns. Each block becomes one run of bytes by Arrow's column functions: no Python
code runs per row.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from simulator.cells import Cell, Text, join, spell

Format = Literal["csv", "json", "ndjson", "html"]
Columns = tuple[tuple[str, Cell], ...]
Block = Sequence[Any]
Bytes = bytes | memoryview
BLOCK_ROWS = 65_536
_INDENT = "\t\t"

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "html": "text/html",
}


class Dialect(BaseModel):
    """What differs between builds of the terminal: quotes round text cells, zeros at the end of CSV times."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quoted: bool = True
    trimmed_times: bool = False


def head(form: Format, columns: Columns) -> bytes:
    """What stands before the first row."""
    names = [name for name, _ in columns]
    if form == "csv":
        return (",".join(names) + "\r\n").encode()
    if form == "json":
        return b'{\n\t"response": ['
    if form == "html":
        return ("<table>\n<tr><th>" + "</th><th>".join(names) + "</th></tr>\n").encode()
    return b""


def tail(form: Format) -> bytes:
    """What stands after the last row: in CSV an empty line, as in recorded bodies."""
    return {"csv": b"\r\n", "json": b"\n\t]\n}\n\n", "ndjson": b"", "html": b"</table>\n"}[form]


def render(form: Format, columns: Columns, block: Block, dialect: Dialect, *, indent: str = _INDENT) -> memoryview:
    """The rows of a block. JSON rows begin with a comma and an indent, the first too: see `document`."""
    csv = form == "csv"
    cells = [
        spell(
            cell,
            values,
            json=form in ("json", "ndjson"),
            quoted=dialect.quoted and csv,
            trimmed=dialect.trimmed_times,
            suffix="\r\n" if csv and number == len(columns) - 1 else "",
        )
        for number, ((_, cell), values) in enumerate(zip(columns, block, strict=True))
    ]
    return _letters(join(cells, ",") if csv else _with_literals(form, columns, cells, indent))


def _with_literals(form: Format, columns: Columns, cells: list[Text], indent: str) -> Text:
    names = [name for name, _ in columns]
    if form == "html":
        before = ["<tr><td>"] + ["</td><td>"] * (len(names) - 1)
        end = "</td></tr>\n"
    else:
        first = f",\n{indent}{{" if form == "json" else "{"
        before = [(first if n == 0 else ",") + f'"{name}":' for n, name in enumerate(names)]
        end = "}" if form == "json" else "}\n"
    parts = [part for literal, cell in zip(before, cells, strict=True) for part in (pa.scalar(literal), cell)]
    return join([*parts, pa.scalar(end)], "")


def _letters(rows: Text) -> memoryview:
    # The rows of a string array lie one behind the other in its data buffer: that is the body.
    _, offsets, letters = rows.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(letters)[ends[rows.offset] : ends[rows.offset + len(rows)]]


def document(form: Format, columns: Columns, runs: Iterable[memoryview]) -> Iterator[Bytes]:
    """Head, runs of rendered rows, tail."""
    yield head(form, columns)
    for number, run in enumerate(runs):
        yield run[1:] if form == "json" and number == 0 else run
    yield tail(form)
