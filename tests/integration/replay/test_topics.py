"""Replays to topics of a real broker."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from stoculus.errors import BrokerUnavailable, Conflict, InvalidRequest, NotFound, TopicLost
from stoculus.export import Format
from stoculus.export.backtest import export_backtest
from stoculus.kafka import admin
from stoculus.kafka.ends import topic_ends
from stoculus.records.catalog import record_type
from stoculus.replay import Replay, State, standing
from stoculus.replay.rows import Mark
from stoculus.replay.standing import Standing
from stoculus.settings import VendorSettings
from tests.integration.reading.conftest import OPEN_US
from tests.integration.replay.conftest import BARS, MINUTE_US, QUOTES, Read, available_us
from tests.integration.services.harness import until
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import records

DAY_US = 86_400_000_000
TAKEN_LATE_US = 100_000

SLOW = 1e-6
"""The records of the first time come at once, the next ones never."""
AT_ONCE = 5
"""A quote of the stock, and of each contract of the chain."""


@pytest.fixture
def replay(history: Written, where: VendorSettings, replay_id: str) -> Callable[..., Replay]:
    """Makes replays of the history to one id."""

    def made(**options: object) -> Replay:
        return Replay(history.backtest_id, **{"settings": where, "id": replay_id, "speed": "max"} | options)  # type: ignore[arg-type]

    return made


def finish(replay: Replay) -> list[str]:
    with replay:
        assert replay.wait().state is State.FINISHED
    return replay.topics


def test_keys_values_and_times_are_those_of_history(
    history: Written, replay: Callable[..., Replay], replay_id: str, read: Read
) -> None:
    topics = finish(replay())

    assert topics == [
        f"stock-aapl-quote-replay-{replay_id}",
        f"stock-aapl-ohlcv1m-replay-{replay_id}",
        f"option-spxw-quote1m-replay-{replay_id}",
    ]
    for topic, original in zip(topics, history.topics, strict=True):
        found = read(topic)
        assert [each.whole for each in found] == [each.whole for each in read(original)]
        assert {each.origin for each in found} == {"replay"}


def test_two_topics_are_on_one_clock_true_to_the_spacing_of_their_times(
    replay: Callable[..., Replay], read: Read
) -> None:
    before_us = time.time_ns() // 1000
    topics = finish(replay(speed=1000))
    quotes, bars = (read(topic) for topic in topics[:2])

    sent = [*zip(available_us(QUOTES), quotes, strict=True), *zip(available_us(BARS), bars, strict=True)]
    by_market = sorted(sent, key=lambda each: each[0])
    ingest = [record.ingest_us for _, record in by_market]
    assert ingest == sorted(ingest)
    assert before_us < ingest[0]
    first_us, started_us = by_market[0][0], ingest[0]
    # Never early, however late they are on a busy machine, where the first one's time may be taken late, too.
    assert all(
        at - started_us > (us - first_us) / 1000 - TAKEN_LATE_US for (us, _), at in zip(by_market, ingest, strict=True)
    )


def test_part_of_it_is_chosen_by_topic_and_by_the_times_at_which_records_are_known(
    history: Written, replay: Callable[..., Replay], read: Read
) -> None:
    chosen = history.topics[1::-1]  # bars before quotes

    bars, quotes = finish(replay(topics=chosen, start="2024-01-02T09:31", end="2024-01-02T09:33"))

    assert [each.time_ms for each in read(bars)] == [(OPEN_US + n * MINUTE_US) // 1000 for n in (0, 1)]
    assert [each.whole for each in read(quotes)] == [each.whole for each in read(history.topics[0])[120:360]]


def test_it_pauses_and_goes_on(replay: Callable[..., Replay], read: Read) -> None:
    with replay(speed=SLOW) as playing:
        wait_for_records(playing, 1)
        playing.pause()
        playing.speed = "max"
        assert playing.status.state is State.PAUSED
        assert playing.status.records == AT_ONCE
        playing.resume()
        last = playing.wait()

    assert (last.state, last.records, last.speed) == (State.FINISHED, 1250, "max")
    assert len(read(playing.topics[0])) == QUOTES.num_rows


def test_what_is_sought_back_is_sent_again_and_what_is_sought_past_is_not(
    history: Written, replay: Callable[..., Replay], read: Read
) -> None:
    quotes = history.topics[:1]
    with replay(speed=SLOW, topics=quotes) as playing:
        wait_for_records(playing, 1)
        playing.seek("2024-01-02T09:30")
        wait_for_records(playing, 2)
        playing.seek("2024-01-02T09:39")
        playing.speed = "max"
        playing.wait()

    original = [each.whole for each in read(quotes[0])]
    assert [each.whole for each in read(playing.topics[0])] == [original[0], *original[:1], *original[1080:]]


def test_the_time_between_sessions_is_passed_over(where: VendorSettings, replay_id: str) -> None:
    backtest = Written(where.kafka, where.registry, [Selection("AAPL", "ohlcv1h")])
    friday_close_us = OPEN_US + 3 * DAY_US + 390 * MINUTE_US
    times = [friday_close_us - 60 * MINUTE_US, OPEN_US + 6 * DAY_US]
    backtest.tasks[0].write(records(record_type("StockOhlcv"), times)).complete()
    backtest.say("completed")

    with Replay(backtest.backtest_id, settings=where, id=replay_id, speed=100_000) as playing:
        last = playing.wait()

    assert last.records == 2
    [(from_us, to_us)] = last.skips
    assert friday_close_us < from_us
    assert to_us == OPEN_US + 6 * DAY_US


def test_topics_that_hold_records_are_refused_but_for_what_is_behind_them(
    history: Written, replay: Callable[..., Replay], read: Read
) -> None:
    with replay(speed=1000) as playing:
        wait_for_records(playing, 100)
        playing.stop()
        stopped = playing.wait()
    assert stopped.state is State.STOPPED
    assert stopped.next_us is not None

    with pytest.raises(Conflict) as refused:
        replay()
    start = refused.value.remedy.split("--start ")[1].split(":")
    with replay(start=":".join(start[:3])) as going_on:
        last = going_on.wait()

    assert last.records == 1250 - stopped.records
    assert same_as_history(history, playing, read)


@pytest.mark.parametrize("look_back", [2, 4, 1000])
def test_the_end_of_a_topic_is_found_however_many_records_have_its_time(
    history: Written, where: VendorSettings, monkeypatch: pytest.MonkeyPatch, look_back: int
) -> None:
    monkeypatch.setattr(standing, "_LOOK_BACK_RECORDS", look_back)
    schemas = [task.selection.schema for task in history.tasks]
    topics = Standing(where, history.topics, schemas)

    assert topics.marks(range(3)) == {
        0: Mark(available_us(QUOTES)[-1], 1),
        1: Mark(OPEN_US + 10 * MINUTE_US, 1),
        2: Mark(OPEN_US + 9 * MINUTE_US, 4),
    }


def test_killed_it_goes_on_without_loss_or_double(
    history: Written, where: VendorSettings, replay: Callable[..., Replay], replay_id: str, read: Read
) -> None:
    code = "from stoculus.cli.main import main; main()"
    arguments = ["replay", history.backtest_id, "--id", replay_id, "--speed", "200"]
    places = {"STOCULUS_KAFKA_BOOTSTRAP": where.kafka_bootstrap, "STOCULUS_REGISTRY_URL": where.registry_url}
    quotes = f"stock-aapl-quote-replay-{replay_id}"
    with subprocess.Popen([sys.executable, "-c", code, *arguments], env=os.environ | places) as process:
        try:
            until(lambda: has_records(where, quotes, 50), "some quotes are played")
        finally:
            process.kill()
    assert len(read(quotes)) < QUOTES.num_rows

    going_on = replay(start="2024-01-02")
    finish(going_on)

    assert same_as_history(history, going_on, read)


def test_another_writer_on_its_topics_is_told(where: VendorSettings, replay: Callable[..., Replay]) -> None:
    with replay(speed=SLOW) as playing:
        wait_for_records(playing, 1)
        producer = Producer({**admin.QUIET, "bootstrap.servers": where.kafka_bootstrap})
        producer.produce(playing.topics[0], b"foreign")
        producer.flush()
        playing.speed = "max"
        with pytest.raises(TopicLost, match="1 records that were not sent"):
            playing.wait()


def test_what_cannot_be_replayed_is_told(where: VendorSettings, history: Written) -> None:
    def refused(error: type[Exception], match: str, backtest: str = history.backtest_id, **options: Any) -> None:
        with pytest.raises(error, match=match):
            Replay(backtest, settings=where, **options)

    refused(NotFound, "no backtest nosuch", "nosuch")
    refused(InvalidRequest, "is no topic", topics=["x"])
    refused(InvalidRequest, "is not a replay id", id="No Id")
    refused(InvalidRequest, "is no speed", speed=0)
    refused(InvalidRequest, "not after the start", start="2024-01-03", end="2024-01-02")


def test_an_export_is_replayed_as_its_backtest(
    history: Written, where: VendorSettings, read: Read, tmp_path: Path
) -> None:
    export_backtest(where, history.backtest_id, tmp_path, Format.PARQUET, None, lambda _: None)

    with Replay(f"file:{tmp_path}/{history.backtest_id}", settings=where, speed="max") as replay:
        replay.wait()

    assert replay.id == history.backtest_id
    assert same_as_history(history, replay, read)


def wait_for_records(playing: Replay, count: int) -> None:
    until(lambda: playing.status.records >= count, f"{count} records are sent")


def has_records(where: VendorSettings, topic: str, count: int) -> bool:
    try:
        return topic_ends(where.kafka, topic).high >= count
    except (TopicLost, BrokerUnavailable):  # it is not there yet
        return False


def same_as_history(history: Written, replay: Replay, read: Read) -> bool:
    pairs = zip(replay.topics, history.topics, strict=True)
    return all([each.whole for each in read(a)] == [each.whole for each in read(b)] for a, b in pairs)
