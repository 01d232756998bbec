"""A feed to files: each New York day into a file of its own, written beside its place."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from stoculus.checkpoints import NO_HASH
from stoculus.export import Format
from stoculus.export.formats import open_writer
from stoculus.export.manifest import ExportedFile, Series
from stoculus.reading.feed import Feed
from stoculus.reading.proof import day_runs
from stoculus.records import codec
from stoculus.records.catalog import RecordType
from stoculus.records.digest import DayDigest


def part_of(path: Path) -> Path:
    """Where a file is while it is written."""
    return path.with_name(f".{path.name}.part")


def write_days(folder: Path, form: Format, series: Series, feed: Feed) -> Iterator[ExportedFile | int]:
    """Write the days of a feed, a batch at a time; yield the records of each batch, and each day when it is whole.

    Its file is at `part_of` its path then. Raise OSError.
    """
    open_day: _OpenDay | None = None
    try:
        while not feed.is_done:
            if (batch := feed.poll()) is None:
                continue
            for day, first, count in day_runs(batch["ts_event"]):
                if open_day is None or open_day.day != day:
                    if open_day is not None:
                        yield open_day.finish()
                    previous = open_day.hash if open_day else series.hash_before(day)
                    open_day = _OpenDay(folder, form, series, day, previous)
                open_day.write(batch.slice(first, count))
            yield batch.num_rows
        if open_day is not None:
            yield open_day.finish()
    finally:
        if open_day is not None:
            open_day.abandon()


def encoded_hash(feed: Feed) -> str:
    """The hash that `write_days` notes with the last day of a whole topic."""
    digest: DayDigest | None = None
    while not feed.is_done:
        if (batch := feed.poll()) is None:
            continue
        for day, first, count in day_runs(batch["ts_event"]):
            if digest is None or digest.day != day:
                digest = DayDigest(day, digest.digest() if digest else NO_HASH)
            _add(digest, batch.slice(first, count), feed.schema.record)
    return digest.digest() if digest else NO_HASH


def _add(digest: DayDigest, batch: pa.RecordBatch, record: RecordType) -> None:
    keys: Any = batch["symbol"]
    digest.add(keys, batch["ts_event"], codec.encode(batch, record))


class _OpenDay:
    """The file of a day that is being written."""

    def __init__(self, folder: Path, form: Format, series: Series, day: date, previous_hash: str) -> None:
        self.day = day
        self._path = series.path_of(day, form)
        self._part = part_of(folder / self._path)
        self._part.parent.mkdir(parents=True, exist_ok=True)
        self._record = series.schema_of.record
        self._records = 0
        self._is_whole = False
        self._digest = DayDigest(day, previous_hash)
        self._file = _HashedFile(self._part)
        about = {"topic": series.topic, "symbol": series.symbol, "schema": series.schema_name, "record": series.record}
        self._writer = open_writer(form, self._file, self._record.arrow.with_metadata(about))

    @property
    def hash(self) -> str:
        """Of the records of the series so far."""
        return self._digest.digest()

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write(batch)
        _add(self._digest, batch, self._record)
        self._records += batch.num_rows

    def finish(self) -> ExportedFile:
        self._writer.close()
        size = self._file.tell()
        self._file.close()
        self._is_whole = True
        return ExportedFile(
            path=self._path,
            date=self.day,
            records=self._records,
            bytes=size,
            sha256=self._file.sha256.hexdigest(),
            hash=self.hash,
        )

    def abandon(self) -> None:
        """Leave nothing behind, unless it is whole."""
        if self._is_whole:
            return
        self._writer.abandon()
        with suppress(OSError):  # a full disk does not take what is still buffered
            self._file.close()
        self._part.unlink(missing_ok=True)


class _HashedFile(io.BufferedWriter):
    """A new file that hashes what is written to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.open("wb", buffering=0))
        self.sha256 = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        return super().write(data)
