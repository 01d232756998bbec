"""`manifest.json`: which backtest a folder holds, and each of its files with size and hash."""

import json
import os
from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stoculus.checkpoints import NO_HASH
from stoculus.errors import Conflict, ExportDamaged, InvalidRequest, NotFound
from stoculus.export import Format
from stoculus.reading.manifest import TopicEntry
from stoculus.records.catalog import Asset

NAME: Final = "manifest.json"
VERSION: Final = 1


class ExportedFile(BaseModel):
    """One New York day of a series."""

    model_config = ConfigDict(frozen=True)

    path: str = Field(description="relative to the manifest")
    day: date = Field(alias="date")
    records: int
    bytes: int
    sha256: str = Field(description="of the file")
    hash: str = Field(description="of the series' records to the end of this day, as `stoculus.checkpoints` defines it")


class Series(TopicEntry):
    """A topic in files, in the order of time. `records`, the times and `hash` are its receipt's, once `complete`."""

    asset: Asset
    complete: bool = False
    first_ts_event: datetime | None = None
    last_ts_event: datetime | None = None
    hash: str | None = None
    files: list[ExportedFile] = Field(default_factory=list)

    def path_of(self, day: date, form: Format) -> str:
        """Where a day's file is, relative to the manifest."""
        return f"{self.asset}/{self.symbol}/{self.schema_name}/{day}.{form}"

    def hash_before(self, day: date) -> str:
        """The hash of the records before a day."""
        n = bisect_left(self.files, day, key=lambda file: file.day)
        return self.files[n - 1].hash if n else NO_HASH

    def put(self, file: ExportedFile) -> None:
        """Add a file, in place of that of the same day."""
        n = bisect_left(self.files, file.day, key=lambda other: other.day)
        same = n < len(self.files) and self.files[n].day == file.day
        self.files[n : n + same] = [file]


class ExportManifest(BaseModel):
    """What a folder holds. The series are in the order of the backtest's request."""

    version: int = VERSION
    backtest_id: str
    format: Format
    complete: bool = Field(default=False, description="whether all series are")
    request: dict[str, Any]
    series: list[Series]

    def chosen(self, topics: Sequence[str] | None) -> list[Series]:
        """The series of these topics, in that order, or all. Raise InvalidRequest for one that is not there."""
        by_topic = {series.topic: series for series in self.series}
        if unknown := [topic for topic in topics or () if topic not in by_topic]:
            raise InvalidRequest(
                f"{unknown[0][:260]!r} was not exported.",
                remedy=f"`stoculus export {self.backtest_id} --topic …` adds a topic of the backtest.",
                field="topics",
            )
        return self.series if topics is None else [by_topic[topic] for topic in dict.fromkeys(topics)]

    def save(self, folder: Path) -> None:
        """Replace the folder's manifest at once, where it says something else. Raise OSError."""
        text = self.model_dump_json(by_alias=True, exclude_none=True, indent=1).encode() + b"\n"
        path, beside = folder / NAME, folder / f".{NAME}.part"
        if path.exists() and path.read_bytes() == text:
            return
        with beside.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)


def load(folder: Path) -> ExportManifest:
    """The manifest of a folder.

    Raise NotFound where there is none, ExportDamaged where it is none, Conflict where a newer version wrote it.
    """
    path = folder / NAME
    try:
        told = json.loads(path.read_bytes())
        if isinstance(told, dict) and isinstance(version := told.get("version"), int) and version > VERSION:
            raise Conflict(f"{path} was written by a newer version of Stoculus.", remedy="Update Stoculus.")
        return ExportManifest.model_validate(told)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(
            f"{folder} holds no export: there is no {NAME}.", remedy="`stoculus export <backtest>` makes one."
        ) from error
    except OSError as error:
        raise ExportDamaged(f"{path} cannot be read: {error.strerror}.", remedy="May this user read it?") from error
    except (ValueError, ValidationError) as error:
        raise ExportDamaged(
            f"{path} is no manifest of an export.", remedy="Remove the folder, then export again.", detail=str(error)
        ) from error
