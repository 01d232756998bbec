"""Folders of exports, made without a broker."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from stoculus.checkpoints import NO_HASH, Checkpoint
from stoculus.export import Format
from stoculus.export.days import write_days
from stoculus.export.folder import ExportFolder, hold
from stoculus.export.manifest import ExportedFile, ExportManifest, Series
from stoculus.reading.manifest import Manifest, TopicEntry
from stoculus.records.catalog import RECORDS, Asset, RecordType, Schema
from tests.unit.stoculus.reading.feeds import ListFeed


def schema_of(record: RecordType) -> Schema:
    """A schema that has this record type."""
    both: list[tuple[Asset, str]] = [("stock", "Stock"), ("option", "Option")]
    asset = next(asset for asset, prefix in both if record.name.startswith(prefix))
    kind = next(kind for kind, name in RECORDS[asset].items() if name == record.name)
    return Schema(kind, "1m" if kind in ("ohlcv", "greeksfirst", "greeksall", "iv") else None, asset)


def entry(schema: Schema, symbol: str = "AAPL", backtest_id: str = "42") -> TopicEntry:
    return TopicEntry(
        topic=f"{schema.asset}-{symbol.lower()}-{schema.name}-historical-{backtest_id}",
        symbol=symbol,
        schema=schema.name,
        record=schema.record.subject,
        feed="SIP consolidated tape",
        records=0,
    )


def backtest(*entries: TopicEntry, backtest_id: str = "42") -> Manifest:
    request = {"start": "2024-01-02", "end": "2024-01-05"}
    return Manifest(backtest_id=backtest_id, state="completed", attempt=1, request=request, topics=list(entries))


def receipt(series: Series) -> Checkpoint:
    """What a task would have written that wrote what the files hold."""
    return Checkpoint(
        task_id=series.topic,
        backtest_id="42",
        record=series.record,
        schema=series.schema_name,
        symbol=series.symbol,
        state="completed",
        attempt=1,
        records=sum(file.records for file in series.files),
        hash=series.files[-1].hash if series.files else NO_HASH,
        updated_at=datetime(2024, 2, 1, tzinfo=UTC),
    )


def write(folder: ExportFolder, series: Series, batches: Sequence[pa.RecordBatch]) -> list[ExportedFile]:
    """Write all days of the batches; return their files."""
    feed = ListFeed(series.topic, "quote", batches)
    files = [
        done for done in write_days(folder.path, folder.manifest.format, series, feed) if not isinstance(done, int)
    ]
    for file in files:
        folder.keep(series, file)
    return files


def exported(
    path: Path, form: Format, *topics: tuple[Schema, Sequence[pa.RecordBatch]], complete: bool = True
) -> ExportManifest:
    """Export a backtest of these topics."""
    entries = [entry(schema) for schema, _ in topics]
    with hold(path, backtest(*entries), entries, form) as folder:
        for series, (_, batches) in zip(folder.manifest.series, topics, strict=True):
            write(folder, series, batches)
            if complete:
                folder.complete(series, receipt(series))
    return folder.manifest
