"""The store: what users asked for, kept through restarts and parallel changes."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.backtests.models import Submission
from coordinator.backtests.states import Wanted
from coordinator.backtests.store import Backtest, backtest_store
from coordinator.database import Database
from coordinator.store import Store
from stoculus.errors import Conflict, ServiceUnavailable

NOW = datetime(2024, 1, 10, 12, 0, 0, 123456, tzinfo=UTC)


def backtest(backtest_id: str = "42") -> Backtest:
    data = [{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "ohlcv"}]
    request = {"backtest_id": backtest_id, "start": "2024-01-02", "end": "2024-01-05", "ttl": "1d", "data": data}
    return Backtest(backtest_id, NOW, Submission.model_validate(request))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "store.sqlite"


@pytest.fixture
def store(path: Path) -> Store[Backtest]:
    store = backtest_store(Database(f"sqlite:///{path}"))
    store.load()
    return store


def test_what_was_stored_is_loaded(store: Store[Backtest], path: Path) -> None:
    stored = store.change(backtest_added(store), wanted=Wanted.PAUSE, attempt=2, deleted_at=NOW)

    (loaded,) = backtest_store(Database(f"sqlite:///{path}")).load()

    assert loaded == stored
    assert loaded.version == 2
    assert loaded.topics == ["stock-aapl-ohlcv1m-historical-42", "stock-msft-ohlcv1m-historical-42"]
    assert loaded.expires_at == datetime(2024, 1, 11, 12, 0, 0, 123456, tzinfo=UTC)


def backtest_added(store: Store[Backtest]) -> Backtest:
    one = backtest()
    store.add(one)
    return one


def test_an_id_is_taken_once_even_by_two_hundred_at_a_time(store: Store[Backtest]) -> None:
    def add(_: int) -> bool:
        try:
            store.add(backtest())
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(add, range(200))) == 1


def test_a_change_over_an_old_version_is_refused(store: Store[Backtest]) -> None:
    old = backtest_added(store)
    store.change(old, wanted=Wanted.CANCEL)

    with pytest.raises(Conflict):
        store.change(old, wanted=Wanted.RUN)
    assert store.load()[0].wanted is Wanted.CANCEL


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_text("this is no database" * 100)

    with pytest.raises(ServiceUnavailable, match=r"store\.sqlite"):
        backtest_store(Database(f"sqlite:///{path}")).load()


def test_a_database_that_others_lock_for_too_long_is_an_error(
    store: Store[Backtest], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coordinator.database.BUSY_TIMEOUT_S", 0)
    impatient = backtest_store(Database(f"sqlite:///{path}"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(ServiceUnavailable, match="locked"):
            impatient.add(backtest())
    finally:
        other.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write read-only files")
def test_a_read_only_file_can_still_be_read(store: Store[Backtest], path: Path) -> None:
    one = backtest_added(store)
    store.database.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    read_only = backtest_store(Database(f"sqlite:///{path}"))
    try:
        assert read_only.load() == [one]
        with pytest.raises(ServiceUnavailable, match="written"):
            read_only.add(backtest("43"))
    finally:
        path.parent.chmod(0o755)


def test_a_store_says_whether_it_may_be_written(
    store: Store[Backtest], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    one = backtest_added(store)
    store.check()
    read_only = backtest_store(Database(f"sqlite:///file:{path}?mode=ro&uri=true"))

    with pytest.raises(ServiceUnavailable, match="readonly"):
        read_only.check()
    assert read_only.load() == store.load() == [one]
    assert not Path("file:").exists()
