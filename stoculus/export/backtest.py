"""`stoculus export`: the topics of a backtest, one after the other, to files."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from stoculus.calendar import DAY_START, to_utc_us
from stoculus.checkpoints import NO_HASH, Checkpoint
from stoculus.errors import Conflict, DiskRefused, TopicLost
from stoculus.export import Format
from stoculus.export.days import encoded_hash, write_days
from stoculus.export.folder import ExportFolder, hold
from stoculus.export.manifest import ExportedFile, ExportManifest, Series
from stoculus.reading.backtest import BacktestLog
from stoculus.reading.decoding import Decoder
from stoculus.reading.proof import topic_hash
from stoculus.reading.topic_feed import TopicFeed
from stoculus.settings import Connections

_PREFETCH_MESSAGES: Final = 100_000
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """How far an export is: `records` of `expected` of all its topics; `completed`: the topic that ended with it."""

    topic: str
    records: int
    expected: int
    completed: Series | None = None


def export_backtest(
    settings: Connections,
    backtest_id: str,
    to: Path,
    form: Format,
    topics: Sequence[str] | None,
    on_step: Callable[[Step], None],
) -> ExportManifest:
    """Write a backtest (of it these topics) to files in `to`/<backtest id>; return what is there then.

    What is there already is kept: files of the right size are not written again. A backtest that runs is followed.
    Memory does not grow with the days. Each topic must agree with its receipt in records, days and hash.
    Raise NotFound, BacktestIncomplete, TopicLost, BrokerUnavailable; Conflict where the folder holds something else;
    DiskRefused where it cannot be written.
    """
    with BacktestLog(settings.kafka, backtest_id) as log:
        entries = log.manifest.chosen(topics)
        for entry in entries:
            log.check(entry.topic)
        path = to / log.manifest.backtest_id
        try:
            with hold(path, log.manifest, entries, form) as folder:
                _Export(settings, log, folder, [entry.topic for entry in entries], on_step).run()
                return folder.manifest
        except OSError as error:
            raise DiskRefused(
                f"{error.filename or path} cannot be written: {error.strerror or error}.",
                remedy="Make room or name another folder with --to. The same command again goes on where it was.",
            ) from error


class _Export:
    """One run over topics of a backtest."""

    def __init__(
        self,
        settings: Connections,
        log: BacktestLog,
        folder: ExportFolder,
        topics: Sequence[str],
        on_step: Callable[[Step], None],
    ) -> None:
        self._kafka = settings.kafka
        self._decoder = Decoder(settings.registry)
        self._log = log
        self._folder = folder
        self._topics = topics
        self._on_step = on_step
        self._records = 0

    def run(self) -> None:
        """Export what is missing of the topics."""
        for series in self._folder.manifest.chosen(self._topics):
            checkpoint = self._log.checkpoints.get(series.topic)
            if series.complete and (checkpoint is None or checkpoint.hash != series.hash):
                raise Conflict(
                    f"{self._folder.path} holds other records of {series.topic}.",
                    remedy="Is it of another broker? Name another folder with --to, or remove this one.",
                )
            damaged = self._folder.damaged(series)
            self._records += sum(file.records for file in series.files) - sum(file.records for file in damaged)
            for file in damaged:
                self._write_again(series, file)
            if not series.complete:
                self._go_on(series)

    def _write_again(self, series: Series, file: ExportedFile) -> None:
        written = list(self._days(series, _midnight_us(file.day), _midnight_us(file.day + _DAY)))
        if [(each.records, each.hash) for each in written] != [(file.records, file.hash)]:
            raise TopicLost(f"{series.topic} does not hold what was exported of {file.day}.", remedy=self._remedy)
        self._folder.keep(series, written[0])

    def _go_on(self, series: Series) -> None:
        start_us = _midnight_us(series.files[-1].day + _DAY) if series.files else None
        for file in self._days(series, start_us, None):
            self._folder.keep(series, file)
        receipt = self._log.checkpoints[series.topic]
        self._compare(series, receipt)
        self._folder.complete(series, receipt)
        self._tell(series.topic, series)

    def _days(self, series: Series, start_us: int | None, end_us: int | None) -> Iterator[ExportedFile]:
        """Write the days of a span of time, each beside its place."""
        with closing(self._feed(series, start_us, end_us)) as feed:
            for done in write_days(self._folder.path, self._folder.manifest.format, series, feed):
                if isinstance(done, ExportedFile):
                    yield done
                else:
                    self._records += done
                    self._tell(series.topic)

    def _feed(self, series: Series, start_us: int | None, end_us: int | None) -> TopicFeed:
        place = (self._kafka, self._decoder, self._log, series, (start_us, end_us))
        return TopicFeed(*place, partial=False, prefetch_messages=_PREFETCH_MESSAGES)

    def _compare(self, series: Series, receipt: Checkpoint) -> None:
        """Raise TopicLost where the files are not what the receipt says."""
        days = {file.day: file.records for file in series.files}
        if wrong := [day for day in sorted(days | receipt.days) if days.get(day) != receipt.days.get(day)]:
            there, told = days.get(wrong[0], 0), receipt.days.get(wrong[0], 0)
            raise TopicLost(
                f"There are {there:,} records of {wrong[0]} of {series.topic}, and by its receipt {told:,}.",
                remedy=self._remedy,
            )
        files_hash = series.files[-1].hash if series.files else NO_HASH
        if files_hash != receipt.hash and not self._is_proved(series, files_hash, receipt):
            raise TopicLost(f"What is there of {series.topic} is not what its receipt says.", remedy=self._remedy)

    def _is_proved(self, series: Series, files_hash: str, receipt: Checkpoint) -> bool:
        """Whether the topic is what its receipt says, and the files are what the topic is.

        Files are hashed as this program encodes records: that differs where another version of the type wrote them.
        """
        topic = topic_hash(self._kafka, self._decoder, series.topic, series.schema_of.record)
        with closing(self._feed(series, None, None)) as feed:
            return topic.hash == receipt.hash and encoded_hash(feed) == files_hash

    @property
    def _remedy(self) -> str:
        return (
            f"`stoculus verify {self._folder.manifest.backtest_id}` says whether the topic is whole. If it is, remove "
            f"{self._folder.path} and export again."
        )

    def _tell(self, topic: str, completed: Series | None = None) -> None:
        checkpoints = [found for name in self._topics if (found := self._log.checkpoints.get(name))]
        expected = sum(
            each.records if each.state == "completed" else max(each.records, each.rows_expected) for each in checkpoints
        )
        self._on_step(Step(topic, self._records, expected, completed))


def _midnight_us(day: date) -> int:
    return to_utc_us(day, DAY_START)
