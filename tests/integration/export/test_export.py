"""`stoculus export`: backtests on the broker to files, and back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from confluent_kafka import Producer

import stoculus as reading
from stoculus import connections
from stoculus.errors import BacktestIncomplete, Conflict, NotFound, TopicLost
from stoculus.export import Format
from stoculus.export.backtest import Step, export_backtest
from stoculus.export.manifest import ExportManifest
from stoculus.kafka import admin
from stoculus.kafka.checkpoints import partition_of, read_checkpoint
from stoculus.records import codec
from stoculus.records.catalog import parse_schema
from stoculus.settings import Connections
from stoculus.topics import CHECKPOINTS
from tests.integration.reading.conftest import chain_rows
from tests.integration.services import vendor
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import OPEN_US, records

Run = Callable[..., tuple[int, str, str]]
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
BARS, TRADES = Selection("AAPL", "ohlcv1m"), Selection("AAPL", "trade")
GREEKS, QUIET = Selection("SPXW", "greeksall1m", "option"), Selection("MSFT", "ohlcv1m")
DEADLINE_S = 60


class Broker(Protocol):
    """The fixture `broker`."""

    @property
    def bootstrap(self) -> str: ...

    @property
    def kafka(self) -> connections.Kafka: ...


class Registry(Protocol):
    """The fixture `registry`."""

    @property
    def url(self) -> str: ...

    @property
    def connection(self) -> connections.Registry: ...


@pytest.fixture(scope="module")
def settings(broker: Broker, registry: Registry) -> Connections:
    return Connections(kafka_bootstrap=broker.bootstrap, registry_url=registry.url)


@pytest.fixture(scope="module")
def new_backtest(broker: Broker, registry: Registry) -> Callable[..., Written]:
    return lambda *selections: Written(broker.kafka, registry.connection, list(selections), {"session": "regular"})


@pytest.fixture(scope="module")
def backtest(new_backtest: Callable[..., Written]) -> Written:
    """Bars of three days, trades of one with nulls, greeks of a chain, and a topic without records."""
    made = new_backtest(BARS, TRADES, GREEKS, QUIET)
    bars, trades, greeks, quiet = made.tasks
    for day in range(3):
        bars.write(day_of_bars(day))
    trades.write(records(TRADES.schema.record, [OPEN_US, OPEN_US, OPEN_US + 1001], price=[9.99, 1 / 3, 1e-7]))
    greeks.write(chain_rows(GREEKS.schema.record, [OPEN_US, OPEN_US + MINUTE_US, OPEN_US + DAY_US]))
    quiet.write(day_of_bars(0).slice(0, 0), date(2024, 1, 2))
    for task in made.tasks:
        task.complete()
    return made.say("completed")


def day_of_bars(day: int, count: int = 390) -> pa.RecordBatch:
    first_us = OPEN_US + day * DAY_US
    return records(BARS.schema.record, [first_us + n * MINUTE_US for n in range(count)])


def export(
    settings: Connections, backtest: Written, to: Path, form: Format = Format.PARQUET, *topics: str
) -> tuple[ExportManifest, list[Step]]:
    steps: list[Step] = []
    manifest = export_backtest(settings, backtest.backtest_id, to, form, topics or None, steps.append)
    return manifest, steps


def tables(source: str, settings: Connections) -> dict[str, pa.Table]:
    with reading.read(source, settings=settings) as found:
        return found.to_tables()


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of each file that is not hidden."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize("form", Format)
def test_what_was_exported_reads_as_the_topics_do(
    settings: Connections, backtest: Written, tmp_path: Path, form: Format
) -> None:
    export(settings, backtest, tmp_path, form)

    from_files = tables(f"file:{tmp_path}/{backtest.backtest_id}", settings)

    from_topics = tables(backtest.backtest_id, settings)
    assert list(from_files) == backtest.topics
    for topic, table in from_topics.items():
        assert from_files[topic].schema.equals(table.schema, check_metadata=True)
        assert from_files[topic].equals(table), topic
    assert [table.num_rows for table in from_topics.values()] == [1170, 3, 12, 0]
    with (
        reading.merge(f"file:{tmp_path}/{backtest.backtest_id}", settings=settings) as of_files,
        reading.merge(backtest.backtest_id, settings=settings) as of_topics,
    ):
        assert list(of_files) == list(of_topics)


def test_files_lie_by_asset_symbol_schema_and_day_and_the_manifest_says_so(
    settings: Connections, backtest: Written, tmp_path: Path
) -> None:
    manifest, _ = export(settings, backtest, tmp_path, Format.CSV)

    folder = tmp_path / backtest.backtest_id
    assert sorted(files_of(folder)) == [
        "manifest.json",
        "option/SPXW/greeksall1m/2024-01-02.csv",
        "option/SPXW/greeksall1m/2024-01-03.csv",
        "stock/AAPL/ohlcv1m/2024-01-02.csv",
        "stock/AAPL/ohlcv1m/2024-01-03.csv",
        "stock/AAPL/ohlcv1m/2024-01-04.csv",
        "stock/AAPL/trade/2024-01-02.csv",
    ]
    told = json.loads((folder / "manifest.json").read_text())
    receipt = read_checkpoint(settings.kafka, backtest.topics[0], wait=False)
    assert receipt is not None
    assert (told["backtest_id"], told["format"], told["complete"]) == (backtest.backtest_id, "csv", True)
    assert told["request"] == {"session": "regular"}
    bars = told["series"][0]
    about = {name: bars[name] for name in ("topic", "asset", "symbol", "schema", "record", "records", "hash")}
    assert about == {
        "topic": backtest.topics[0],
        "asset": "stock",
        "symbol": "AAPL",
        "schema": "ohlcv1m",
        "record": "io.stoculus.StockOhlcv",
        "records": 1170,
        "hash": receipt.hash,
    }
    assert (bars["first_ts_event"], bars["last_ts_event"]) == ("2024-01-02T14:30:00Z", "2024-01-04T20:59:00Z")
    assert {name: bars["files"][2][name] for name in ("path", "date", "records", "hash")} == {
        "path": "stock/AAPL/ohlcv1m/2024-01-04.csv",
        "date": "2024-01-04",
        "records": 390,
        "hash": receipt.hash,
    }
    assert told["series"][3]["files"] == []
    assert manifest.complete


def test_duckdb_pandas_and_polars_read_parquet_as_it_is(
    settings: Connections, backtest: Written, tmp_path: Path
) -> None:
    export(settings, backtest, tmp_path)
    folder = tmp_path / backtest.backtest_id

    bars = duckdb.read_parquet(f"{folder}/stock/*/ohlcv1m/*.parquet")
    told = bars.aggregate("count(*), sum(close), epoch_us(min(ts_event)), any_value(symbol)").fetchall()
    day = folder / "stock/AAPL/ohlcv1m/2024-01-03.parquet"
    frame, polars = pd.read_parquet(day), pl.read_parquet(day)

    assert told == [(1170, 3 * sum(range(390)), OPEN_US, "AAPL")]
    assert str(frame["ts_event"].dtype) == "datetime64[us, UTC]"
    assert frame["close"].tolist() == polars["close"].to_list() == list(range(390))
    assert polars.schema["ts_event"] == pl.Datetime("us", "UTC")


def test_a_finished_export_is_only_said(
    settings: Connections, backtest: Written, tmp_path: Path, stoculus: Run
) -> None:
    arguments = ("export", backtest.backtest_id, "--to", str(tmp_path), "--format", "json")
    assert stoculus(*arguments)[:2] == (
        0,
        f"{backtest.topics[0]}: 1,170 records in 3 files\n"
        f"{backtest.topics[1]}: 3 records in 1 file\n"
        f"{backtest.topics[2]}: 12 records in 2 files\n"
        f"{backtest.topics[3]}: 0 records in 0 files\n"
        f"Backtest {backtest.backtest_id} exported: 1,185 records in 6 files, 0.2 MB, "
        f"in {tmp_path}/{backtest.backtest_id}\n",
    )
    before = files_of(tmp_path)

    code, out, err = stoculus(*arguments)

    assert (code, err) == (0, "")
    assert out.startswith(f"Backtest {backtest.backtest_id} was exported already: 1,185 records in 6 files")
    assert files_of(tmp_path) == before
    summary = json.loads(stoculus(*arguments, "--json")[1])
    assert (summary["complete"], summary["records"], summary["files"]) == (True, 1185, 6)
    assert [series["topic"] for series in summary["series"]] == backtest.topics


def test_files_that_are_gone_or_cut_are_written_again_and_no_others(
    settings: Connections, backtest: Written, tmp_path: Path
) -> None:
    export(settings, backtest, tmp_path)
    folder = tmp_path / backtest.backtest_id
    before = files_of(folder)
    gone, cut = "stock/AAPL/ohlcv1m/2024-01-02.parquet", "option/SPXW/greeksall1m/2024-01-03.parquet"
    (folder / gone).unlink()
    (folder / cut).write_bytes((folder / cut).read_bytes()[:100])

    _, steps = export(settings, backtest, tmp_path)

    after = files_of(folder)
    assert {name for name in before if before[name] != after[name]} == {gone, cut}
    assert {step.topic for step in steps} == {backtest.topics[0], backtest.topics[2]}
    assert tables(f"file:{folder}", settings) == tables(backtest.backtest_id, settings)


def test_topics_may_follow_later(settings: Connections, backtest: Written, tmp_path: Path) -> None:
    export(settings, backtest, tmp_path, Format.CSV, backtest.topics[1])
    before = files_of(tmp_path)

    manifest, steps = export(settings, backtest, tmp_path, Format.CSV)

    after = files_of(tmp_path)
    assert [series.topic for series in manifest.series] == backtest.topics
    assert backtest.topics[1] not in {step.topic for step in steps}
    assert {name: after[name] for name in before if name.endswith(".csv")} == {
        name: told for name, told in before.items() if name.endswith(".csv")
    }


@pytest.fixture
def following(new_backtest: Callable[..., Written], tmp_path: Path) -> Iterator["Following"]:
    """An export, as a process, of a backtest that has written two days and a half."""
    backtest = new_backtest(BARS)
    for day in range(2):
        backtest.tasks[0].write(day_of_bars(day))
    backtest.tasks[0].add(day_of_bars(2, 100))
    backtest.say("running")
    made = Following(backtest, tmp_path)
    yield made
    made.end(signal.SIGKILL)
    backtest.tasks[0].close()


class Following:
    def __init__(self, backtest: Written, to: Path) -> None:
        self.backtest = backtest
        self.to = to
        self.folder = to / backtest.backtest_id
        environment = os.environ | {
            "STOCULUS_KAFKA_BOOTSTRAP": backtest.kafka.bootstrap,
            "STOCULUS_REGISTRY_URL": backtest.registry.url,
        }
        run = [sys.executable, "-c", "from stoculus.cli.main import main; main()"]
        # Who runs the tests in the background may ignore SIGINT, which programs would inherit.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.process = subprocess.Popen(
                [*run, "export", backtest.backtest_id, "--to", str(to)],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
            )
        finally:
            signal.signal(signal.SIGINT, before)

    def wait_for(self, name: str) -> Path:
        path = self.folder / name
        deadline = time.monotonic() + DEADLINE_S
        while not path.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return path

    def end(self, by: signal.Signals) -> str:
        """Send a signal; return what stands on standard error."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        return self.process.communicate(timeout=DEADLINE_S)[1]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_what_was_broken_off_in_the_middle_of_a_day_goes_on(
    settings: Connections, following: Following, by: signal.Signals
) -> None:
    backtest, folder = following.backtest, following.folder
    following.wait_for("stock/AAPL/ohlcv1m/.2024-01-04.parquet.part")
    time.sleep(0.3)  # the file is made a moment before it is known to be cleared away

    said = following.end(by)

    if by is signal.SIGINT:
        assert following.process.returncode == 130
        assert "The same command again goes on where it was." in said
        assert list(folder.rglob("*.part")) == []
    before = files_of(folder)
    assert sorted(before) == ["manifest.json", *(f"stock/AAPL/ohlcv1m/2024-01-0{n}.parquet" for n in (2, 3))]
    backtest.tasks[0].add(day_of_bars(2).slice(100)).complete()
    backtest.say("completed")

    manifest, steps = export(settings, backtest, following.to)

    after = files_of(folder)
    assert {name for name in before if before[name] != after[name]} == {"manifest.json"}
    assert manifest.complete
    assert steps[-1].records == steps[-1].expected == 1170
    assert list(folder.rglob("*.part")) == []
    assert tables(f"file:{folder}", settings) == tables(backtest.backtest_id, settings)


def test_a_backtest_that_runs_is_followed_to_its_end(following: Following) -> None:
    following.wait_for("stock/AAPL/ohlcv1m/2024-01-03.parquet")
    following.backtest.tasks[0].complete()

    assert following.process.wait(DEADLINE_S) == 0
    assert json.loads((following.folder / "manifest.json").read_text())["series"][0]["records"] == 880


def test_backtests_that_will_not_complete_are_refused_before_a_folder_is_made(
    settings: Connections, new_backtest: Callable[..., Written], tmp_path: Path
) -> None:
    failed, cancelled = new_backtest(BARS), new_backtest(BARS)
    failed.tasks[0].write(day_of_bars(0)).fail("the vendor said no")
    failed.say("failed")
    cancelled.say("cancelled")
    cancelled.tasks[0].close()

    for backtest, said in ((failed, "the vendor said no"), (cancelled, "is cancelled")):
        with pytest.raises(BacktestIncomplete, match=said):
            export(settings, backtest, tmp_path)
    with pytest.raises(NotFound, match="There is no backtest nobody"):
        export_backtest(settings, "nobody", tmp_path, Format.CSV, None, lambda _: None)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hash": "ab" * 32}, "is not what its receipt says"),
        ({"days": {date(2024, 1, 2): 391}}, "There are 390 records of 2024-01-02 .* and by its receipt 391"),
    ],
)
def test_a_topic_that_is_not_what_its_receipt_says_is_refused(
    settings: Connections, new_backtest: Callable[..., Written], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    backtest = new_backtest(BARS)
    backtest.tasks[0].write(day_of_bars(0)).complete()
    backtest.say("completed")
    [topic] = backtest.topics
    receipt = read_checkpoint(settings.kafka, topic, wait=False)
    assert receipt is not None
    producer = Producer({**admin.QUIET, "bootstrap.servers": settings.kafka_bootstrap})
    producer.produce(CHECKPOINTS, receipt.model_copy(update=changes).to_json(), topic, partition_of(topic))
    assert producer.flush(30) == 0

    with pytest.raises(TopicLost, match=said):
        export(settings, backtest, tmp_path)


def test_records_of_another_version_of_their_type_are_proved_by_their_own_bytes(
    settings: Connections, backtest: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode_as_another_version(batch: pa.RecordBatch, record: Any) -> pa.BinaryArray:
        bodies: Any = [(body or b"") + b"\0" for body in codec.encode(batch, record).to_pylist()]
        return pa.array(bodies, pa.binary())

    monkeypatch.setattr("stoculus.export.days.codec", SimpleNamespace(encode=encode_as_another_version))

    assert export(settings, backtest, tmp_path)[0].complete


def test_files_of_another_backtest_of_the_same_name_are_not_taken_for_its_own(
    settings: Connections, new_backtest: Callable[..., Written], tmp_path: Path
) -> None:
    other, own = new_backtest(BARS), new_backtest(BARS)
    other.tasks[0].write(records(BARS.schema.record, [OPEN_US], close=[0.5])).complete()
    own.tasks[0].write(records(BARS.schema.record, [OPEN_US, OPEN_US + DAY_US])).complete()
    for backtest in (other, own):
        backtest.say("completed")
    export(settings, other, tmp_path, Format.CSV)
    folder = (tmp_path / other.backtest_id).rename(tmp_path / own.backtest_id)
    manifest = folder / "manifest.json"
    told = manifest.read_text().replace(other.backtest_id, own.backtest_id)

    manifest.write_text(told)
    with pytest.raises(Conflict, match="holds other records"):
        export(settings, own, tmp_path, Format.CSV)
    manifest.write_text(told.replace('"complete": true', '"complete": false'))
    with pytest.raises(TopicLost, match="is not what its receipt says"):
        export(settings, own, tmp_path, Format.CSV)


def test_a_folder_that_cannot_be_is_one_clear_error(backtest: Written, tmp_path: Path, stoculus: Run) -> None:
    (tmp_path / "file").touch()

    code, out, err = stoculus("export", backtest.backtest_id, "--to", str(tmp_path / "file"))

    assert (code, out) == (1, "")
    assert err.startswith(f"error: {tmp_path}/file/{backtest.backtest_id} cannot be written: Not a directory.\ntry:")


@pytest.mark.recordings
@pytest.mark.parametrize("form", Format)
def test_a_recorded_day_of_trades_comes_back(
    settings: Connections, recorded: Written, tmp_path: Path, form: Format
) -> None:
    export(settings, recorded, tmp_path, form)

    [from_files] = tables(f"file:{tmp_path}/{recorded.backtest_id}", settings).values()

    [from_topic] = tables(recorded.backtest_id, settings).values()
    assert from_files.num_rows == 88_172
    assert from_files.equals(from_topic)


@pytest.fixture(scope="module")
def recorded(new_backtest: Callable[..., Written], recordings: Path) -> Written:
    """The trades of BAC of a day."""
    backtest = new_backtest(Selection("BAC", "trade"))
    rows = list(vendor.trades(recordings, "BAC", date(2013, 10, 7)))
    backtest.tasks[0].write(pa.RecordBatch.from_pylist(rows, schema=parse_schema("trade").record.arrow)).complete()
    return backtest.say("completed")
