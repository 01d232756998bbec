from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pytest

from stoculus.errors import Conflict, ExportDamaged, NotFound
from stoculus.export import Format
from stoculus.export.folder import JOURNAL, ExportFolder, hold
from stoculus.export.manifest import NAME, VERSION, load
from stoculus.records.catalog import parse_schema, record_type
from tests.unit.stoculus.export.exports import backtest, entry, exported, receipt, write
from tests.unit.stoculus.reading.feeds import OPEN_US, records

QUOTES, TRADES = parse_schema("quote"), parse_schema("trade")
DAY_US = 86_400_000_000
BOTH = [entry(QUOTES), entry(TRADES)]


def quotes(days: int, first: int = 0) -> list[pa.RecordBatch]:
    return [records(record_type("StockQuote"), [OPEN_US + n * DAY_US]) for n in range(first, first + days)]


class _Killed(Exception):
    """Stands for a process that ends at once."""


@contextmanager
def killed(path: Path) -> Iterator[ExportFolder]:
    with suppress(_Killed), hold(path, backtest(*BOTH), BOTH, Format.CSV) as folder:
        yield folder
        raise _Killed


def test_an_export_that_was_killed_goes_on_with_what_it_had(tmp_path: Path) -> None:
    with killed(tmp_path) as folder:
        one, two = folder.manifest.series
        kept = write(folder, one, quotes(2))
        folder.complete(one, receipt(one))
        kept += write(folder, two, [])

    assert not load(tmp_path).series[0].files
    with hold(tmp_path, backtest(*BOTH), BOTH, Format.CSV) as folder:
        assert folder.manifest.series[0].files == kept
        assert [series.complete for series in folder.manifest.series] == [True, False]
        assert load(tmp_path) == folder.manifest
        assert folder.damaged(folder.manifest.series[0]) == []


def test_a_line_of_the_journal_that_was_cut_is_no_line(tmp_path: Path) -> None:
    with killed(tmp_path) as folder:
        first = write(folder, folder.manifest.series[0], quotes(1))
        write(folder, folder.manifest.series[0], quotes(1, first=1))
    journal = tmp_path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-10])

    with hold(tmp_path, backtest(*BOTH), BOTH, Format.CSV) as folder:
        assert folder.manifest.series[0].files == first


def test_a_noted_file_that_is_not_in_its_place_is_damaged(tmp_path: Path) -> None:
    manifest = exported(tmp_path, Format.PARQUET, (QUOTES, quotes(3)))
    [series] = manifest.series
    (tmp_path / series.files[0].path).unlink()
    (tmp_path / series.files[2].path).write_bytes(b"cut")

    with hold(tmp_path, backtest(entry(QUOTES)), [entry(QUOTES)], Format.PARQUET) as folder:
        assert folder.damaged(series) == [series.files[0], series.files[2]]


def test_topics_that_follow_later_stand_in_the_order_of_the_request(tmp_path: Path) -> None:
    for chosen in ([BOTH[1]], [BOTH[0]]):
        with hold(tmp_path, backtest(*BOTH), chosen, Format.CSV) as folder:
            for series in folder.manifest.chosen([chosen[0].topic]):
                folder.complete(series, receipt(series))

    manifest = load(tmp_path)
    assert [series.topic for series in manifest.series] == [each.topic for each in BOTH]
    assert manifest.complete


def test_a_finished_export_is_not_touched(tmp_path: Path) -> None:
    exported(tmp_path, Format.CSV, (QUOTES, quotes(1)))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    with hold(tmp_path, backtest(entry(QUOTES)), [entry(QUOTES)], Format.CSV):
        pass

    before.pop(tmp_path / JOURNAL)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_two_processes_do_not_write_at_once(tmp_path: Path) -> None:
    with (
        hold(tmp_path, backtest(*BOTH), BOTH, Format.CSV),
        pytest.raises(Conflict, match="Another process"),
        hold(tmp_path, backtest(*BOTH), BOTH, Format.CSV),
    ):
        pass


def test_a_folder_of_another_format_or_backtest_is_a_conflict(tmp_path: Path) -> None:
    exported(tmp_path, Format.CSV, (QUOTES, []))
    other = entry(QUOTES, "MSFT")

    with pytest.raises(Conflict, match="holds csv files"), hold(tmp_path, backtest(*BOTH), BOTH, Format.JSON):
        pass
    with pytest.raises(Conflict, match="another backtest 42"), hold(tmp_path, backtest(other), [other], Format.CSV):
        pass
    with (
        pytest.raises(Conflict, match="holds backtest 42"),
        hold(tmp_path, backtest(*BOTH, backtest_id="43"), BOTH, Format.CSV),
    ):
        pass


def test_what_is_no_manifest_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no export"):
        load(tmp_path)
    with pytest.raises(NotFound, match="holds no export"):
        load(tmp_path / "nowhere")
    for text in ("", "[]", "{}", '{"version": "?"}', '{"version": 1, "series": 3}', "\xff"):
        (tmp_path / NAME).write_text(text, "latin-1")
        with pytest.raises(ExportDamaged, match="is no manifest"):
            load(tmp_path)


def test_a_manifest_of_a_newer_version_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(f'{{"version": {VERSION + 1}, "shards": []}}')

    with pytest.raises(Conflict, match=r"manifest\.json was written by a newer version"):
        load(tmp_path)
