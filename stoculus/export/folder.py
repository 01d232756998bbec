"""The folder of an export while it is written.

The manifest is written when an export begins and when it ends; in between each finished file is a line in a journal
beside it. So a file costs the same however many there are, and none is written twice after a `kill -9`.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pydantic import BaseModel

from stoculus.checkpoints import Checkpoint
from stoculus.errors import Conflict, NotFound
from stoculus.export import Format
from stoculus.export.days import part_of
from stoculus.export.manifest import ExportedFile, ExportManifest, Series, load
from stoculus.reading.manifest import Manifest, TopicEntry

JOURNAL: Final = ".journal.jsonl"


class _Note(BaseModel):
    """A line of the journal: a file that is in its place, or will be in a moment; or a series that is complete."""

    topic: str
    file: ExportedFile | None = None
    series: Series | None = None


class ExportFolder:
    """A folder that this process alone writes to; see `hold`. Raise OSError where the disk refuses."""

    def __init__(self, path: Path, manifest: ExportManifest, journal: IO[bytes]) -> None:
        self.path = path
        self.manifest = manifest
        self._journal = journal

    def damaged(self, series: Series) -> list[ExportedFile]:
        """The files of a series that are not there, or not of their size."""
        return [file for file in series.files if not _is_whole(self.path / file.path, file.bytes)]

    def keep(self, series: Series, file: ExportedFile) -> None:
        """Put a written file in its place."""
        self._note(_Note(topic=series.topic, file=file))
        path = self.path / file.path
        part_of(path).replace(path)
        series.put(file)

    def complete(self, series: Series, receipt: Checkpoint) -> None:
        """Note that a series has all that its topic's receipt counts."""
        series.records, series.last_offset, series.hash = receipt.records, receipt.last_offset, receipt.hash
        series.first_ts_event, series.last_ts_event = receipt.first_ts_event, receipt.last_ts_event
        series.complete = True
        self._note(_Note(topic=series.topic, series=series))

    def _note(self, note: _Note) -> None:
        self._journal.write(note.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n")
        self._journal.flush()


@contextmanager
def hold(path: Path, backtest: Manifest, entries: list[TopicEntry], form: Format) -> Iterator[ExportFolder]:
    """Make a folder ready for topics of a backtest: what it has of them is kept.

    Raise Conflict where it holds another format or backtest, or another process holds it; ExportDamaged, OSError.
    """
    path.mkdir(parents=True, exist_ok=True)
    with (path / JOURNAL).open("a+b") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another process is exporting to {path}.", remedy="Wait for it, or name another folder with --to."
            ) from error
        manifest = _joined(path, _found(path, journal), backtest, entries, form)
        manifest.save(path)
        journal.truncate(0)
        yield ExportFolder(path, manifest, journal)
        manifest.complete = all(series.complete for series in manifest.series)
        manifest.save(path)
        journal.truncate(0)  # it stays: who waits for its lock must not hold a file that is gone


def _found(path: Path, journal: IO[bytes]) -> ExportManifest | None:
    """The manifest with what the journal says since."""
    try:
        manifest = load(path)
    except NotFound:
        return None
    journal.seek(0)
    by_topic = {series.topic: series for series in manifest.series}
    for note in _notes(journal.read()):
        if note.series is not None:
            by_topic[note.topic] = note.series
        elif note.file is not None and note.topic in by_topic:
            by_topic[note.topic].put(note.file)
    manifest.series = list(by_topic.values())
    return manifest


def _notes(journal: bytes) -> Iterator[_Note]:
    """The lines of a journal, up to the first that was cut."""
    for line in journal.splitlines():
        try:
            yield _Note.model_validate_json(line)
        except ValueError:
            return


def _joined(
    path: Path, found: ExportManifest | None, backtest: Manifest, entries: list[TopicEntry], form: Format
) -> ExportManifest:
    """What the folder holds, and what is to come, in the order of the request."""
    if found is not None and found.backtest_id != backtest.backtest_id:
        raise _other(path, f"backtest {found.backtest_id}")
    if found is not None and found.format != form:
        raise _other(path, f"{found.format} files", f"Use --format {found.format}, or name another folder with --to.")
    there = {series.topic: series for series in found.series} if found else {}
    if there.keys() - {entry.topic for entry in backtest.topics}:
        raise _other(path, f"another backtest {backtest.backtest_id}")
    asked = {entry.topic for entry in entries}
    series = [
        there.get(entry.topic) or Series(**entry.model_dump(by_alias=True), asset=entry.schema_of.asset)
        for entry in backtest.topics
        if entry.topic in asked | there.keys()
    ]
    return ExportManifest(
        backtest_id=backtest.backtest_id,
        format=form,
        complete=all(each.complete for each in series),
        request=backtest.request,
        series=series,
    )


def _other(path: Path, holds: str, remedy: str = "Name another folder with --to, or remove this one.") -> Conflict:
    return Conflict(f"{path} holds {holds}.", remedy=remedy)


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except (FileNotFoundError, NotADirectoryError):
        return False
