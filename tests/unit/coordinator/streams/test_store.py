"""Streams in the database, beside backtests."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.backtests.store import backtest_store
from coordinator.database import Database
from coordinator.store import Store
from coordinator.streams.models import StreamSubmission
from coordinator.streams.states import Wanted
from coordinator.streams.store import Stream, stream_store
from stoculus.errors import Conflict

REQUEST = {
    "stream_id": "tape",
    "session": "regular",
    "warmup": "2d",
    "data": [
        {"asset": "stock", "symbols": ["AAPL"], "schema": "ohlcv"},
        {"asset": "option", "root": "SPXW", "schema": "quote", "expirations": ["2024-01-05"], "strikes": [4700.5]},
    ],
}
STREAM = Stream("tape", datetime(2024, 1, 10, 12, 0, 0, 123456, tzinfo=UTC), StreamSubmission.model_validate(REQUEST))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.sqlite"


@pytest.fixture
def store(url: str) -> Store[Stream]:
    store = stream_store(Database(url))
    store.load()
    return store


def test_what_was_stored_is_loaded_and_told_the_same(store: Store[Stream], url: str) -> None:
    store.add(STREAM)
    stored = store.change(STREAM, wanted=Wanted.STOP)

    (loaded,) = stream_store(Database(url)).load()

    assert (loaded, loaded.version) == (stored, 2)
    assert loaded.spec == STREAM.spec
    assert loaded.topics == ["option-spxw-quote-live", "stock-aapl-ohlcv1m-live"]


def test_a_removed_id_may_be_used_again_and_an_old_version_removes_nothing(store: Store[Stream]) -> None:
    store.add(STREAM)
    with pytest.raises(Conflict) as taken:
        store.add(STREAM)
    assert taken.value.field == "stream_id"

    stopping = store.change(STREAM, wanted=Wanted.STOP)
    with pytest.raises(Conflict, match="Stream tape was changed"):
        store.remove(STREAM)
    store.remove(stopping)
    assert store.load() == []
    store.add(STREAM)


def test_a_database_of_before_there_were_streams_gets_their_table(url: str) -> None:
    path = url.removeprefix("sqlite:///")
    database = Database(url)
    backtest_store(database).load()
    database.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE streams")
    connection.close()

    store = stream_store(Database(url))

    assert store.load() == []
    store.add(STREAM)
