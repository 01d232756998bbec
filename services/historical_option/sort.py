"""Puts the rows of a chunk in the market's order, out of core where they outgrow the memory budget."""

import logging
import os
import shutil
import threading
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import psutil
import pyarrow as pa

from services.kit.fetch import BLOCK_BYTES
from stoculus.errors import SortFailed

log = logging.getLogger(__name__)

_LEAST_DUCKDB_MB: Final = 128
_SORT: Final = "SELECT * EXCLUDE (line) FROM unsorted ORDER BY ts_event, contract, line"
_SPILLED: Final = "SELECT coalesce(sum(size), 0) FROM duckdb_temporary_files()"


def rows_of_a_block(schema: pa.Schema) -> int:
    """How many rows of columns of fixed width a batch that comes out has, and so a transaction."""
    row_bits: int = sum(field.type.bit_width for field in schema)
    return BLOCK_BYTES * 8 // row_bits


class ChainSorter:
    """Sorts chunks. Thread-safe; all that are sorted at once share the memory.

    In memory while half of it is enough, by DuckDB in the other half and on disk beyond. `spill_dir`: a folder below it
    is the process's own and goes with it; those of dead processes are removed.
    """

    def __init__(self, memory_mb: int, spill_dir: Path) -> None:
        self.spilled_bytes_peak = 0
        _remove_leftovers(spill_dir)
        self._folder = spill_dir / str(os.getpid())
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._free_bytes = memory_mb * 2**20 // 2
        self._db = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{max(memory_mb // 2, _LEAST_DUCKDB_MB)}MB",
                "temp_directory": str(self._folder),
                "threads": os.cpu_count() or 1,
            },
        )

    def sorted(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows by `ts_event`, `contract` (int64) and `line` (int32), which is left out.

        What `batches` raises is raised as it is; SortFailed where memory or disk are not enough.
        """
        held: deque[pa.RecordBatch] = deque()
        taken_bytes = 0
        try:
            for batch in batches:
                held.append(batch)
                if not self._take(batch.nbytes):
                    break
                taken_bytes += batch.nbytes
            else:
                yield from _sorted_in_memory(schema, held)
                return
            yield from self._sorted_by_duckdb(schema, chain(_drained(held), batches))
        finally:
            with self._lock:
                self._free_bytes += taken_bytes

    def _take(self, size: int) -> bool:
        with self._lock:
            if self._free_bytes < size:
                return False
            self._free_bytes -= size
            return True

    def _sorted_by_duckdb(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        source = _Source(batches)
        reader = pa.RecordBatchReader.from_batches(schema, source)
        with self._db.cursor() as cursor:
            try:
                cursor.register("unsorted", reader)
                ordered = cursor.sql(_SORT).to_arrow_reader(rows_of_a_block(schema))
                self._note_spill(cursor)
                yield from ordered
            except (duckdb.Error, pa.ArrowException) as error:
                if source.error is not None:
                    raise source.error from None
                raise SortFailed(
                    f"Sorting a day of options failed: {error}",
                    remedy=f"Raise STOCULUS_MEMORY_BUDGET_MB, or make room on the disk of {self._folder}.",
                ) from error

    def close(self) -> None:
        """Remove what is on disk."""
        self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _note_spill(self, cursor: duckdb.DuckDBPyConnection) -> None:
        spilled = (cursor.cursor().execute(_SPILLED).fetchone() or (0,))[0]
        if spilled:
            log.info("%.0f MB are spilled to %s", spilled / 1e6, self._folder)
        with self._lock:
            self.spilled_bytes_peak = max(self.spilled_bytes_peak, int(spilled))


def _sorted_in_memory(schema: pa.Schema, held: deque[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    columns = deque([batch.column(place) for batch in held] for place in range(len(schema)))
    held.clear()
    # Column by column, so that what is put together does not double what is held.
    whole = [pa.chunked_array(columns.popleft(), field.type).combine_chunks() for field in schema]
    rows = pa.RecordBatch.from_arrays(whole, schema=schema)
    order = np.lexsort([rows[key].to_numpy() for key in ("line", "contract", "ts_event")])
    data = rows.drop_columns(["line"])
    rows_at_once = rows_of_a_block(schema)
    for start in range(0, len(order), rows_at_once):
        yield data.take(order[start : start + rows_at_once])


def _drained(held: deque[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while held:
        yield held.popleft()


class _Source:
    """Keeps the error that ended the rows: on its way through DuckDB it would become a text."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._batches
        except BaseException as error:
            self.error = error
            raise


def _remove_leftovers(spill_dir: Path) -> None:
    for folder in spill_dir.glob("[0-9]*"):
        if folder.name == str(os.getpid()) or not psutil.pid_exists(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)
