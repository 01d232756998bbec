"""The records of an exported series, from the files of the days that are asked for."""

import hashlib
from collections.abc import Generator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa

from stoculus.calendar import DAY_START, to_utc_us
from stoculus.errors import Conflict, ExportDamaged
from stoculus.export.formats import read_batches
from stoculus.export.manifest import ExportedFile, ExportManifest, Series, load
from stoculus.reading.feed import FOREVER_US, times_us
from stoculus.records.catalog import Schema

_DAY: Final = timedelta(days=1)


class FileFeed:
    """A `Feed` of an exported series."""

    def __init__(
        self, folder: Path, manifest: ExportManifest, series: Series, start_us: int | None, end_us: int | None
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._series = series
        self._schema = series.schema_of
        self._start_us, self._end_us = start_us, end_us
        self._files = [file for file in series.files if _overlaps(file, start_us, end_us)]
        self._seen_us = 0
        self._is_done = not self._files
        self._batches = self._read()

    @property
    def topic(self) -> str:
        return self._series.topic

    @property
    def symbol(self) -> str:
        return self._series.symbol

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def is_done(self) -> bool:
        return self._is_done

    @property
    def complete_until_us(self) -> int:
        """See `Feed`: the time of the last record that was polled."""
        return FOREVER_US if self._is_done else self._seen_us

    def poll(self) -> pa.RecordBatch | None:
        """See `Feed`. Raise ExportDamaged where a file is missing, cut or altered."""
        batch = next(self._batches, None)
        if batch is not None:
            self._seen_us = int(times_us(batch)[-1])
        return batch

    def close(self) -> None:
        self._batches.close()

    def _read(self) -> Generator[pa.RecordBatch]:
        for file in self._files:
            path = self._folder / file.path
            try:
                self._check(path, file)
                for batch in read_batches(self._manifest.format, path, self._schema.record):
                    inside = self._inside(batch)
                    if inside.num_rows:
                        yield inside
            except (OSError, pa.ArrowException) as error:
                raise self._damaged(f"{path} cannot be read: {error}.") from error
        self._is_done = True

    def _check(self, path: Path, file: ExportedFile) -> None:
        try:
            content = path.open("rb")
        except FileNotFoundError as error:
            raise self._damaged(f"{path} is missing.") from error
        with content:
            size = path.stat().st_size
            if size != file.bytes:
                what = "cut" if size < file.bytes else "longer than it was"
                raise self._damaged(f"{path} is {what}: it has {size:,} bytes of {file.bytes:,}.")
            if hashlib.file_digest(content, "sha256").hexdigest() != file.sha256:
                raise self._damaged(f"{path} was altered: it is not what was exported.", "Remove it, then run")

    def _damaged(self, message: str, todo: str = "Run") -> ExportDamaged:
        command = f"stoculus export {self._manifest.backtest_id} --to {self._folder.parent}"
        return ExportDamaged(
            message, remedy=f"{todo} `{command} --format {self._manifest.format}`: it writes what is not there."
        )

    def _inside(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        times = times_us(batch)
        first = 0 if self._start_us is None else int(times.searchsorted(self._start_us))
        stop = len(times) if self._end_us is None else int(times.searchsorted(self._end_us))
        return batch.slice(first, max(stop - first, 0))


def open_files(folder: Path, topics: Sequence[str] | None, start_us: int | None, end_us: int | None) -> list[FileFeed]:
    """The feeds of topics that were exported to a folder, in that order, or of all; start included, end excluded.

    Raise NotFound where there is no export, Conflict where it has not ended or is of a newer version, ExportDamaged
    where its manifest is none, InvalidRequest for a topic that it has not.
    """
    manifest = load(folder)
    chosen = manifest.chosen(topics)
    if open_series := [series.topic for series in chosen if not series.complete]:
        raise Conflict(
            f"{folder} has not all of {open_series[0]}: its export did not end.",
            remedy=f"`stoculus export {manifest.backtest_id}` goes on where it was.",
        )
    return [FileFeed(folder, manifest, series, start_us, end_us) for series in chosen]


def _overlaps(file: ExportedFile, start_us: int | None, end_us: int | None) -> bool:
    first_us, after_us = to_utc_us(file.day, DAY_START), to_utc_us(file.day + _DAY, DAY_START)
    return (start_us is None or after_us > start_us) and (end_us is None or first_us < end_us)
