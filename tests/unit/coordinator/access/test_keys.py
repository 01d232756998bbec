import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from coordinator.access import keys as access_keys
from coordinator.access.keys import Keys, digest, shown
from coordinator.access.scopes import Scope
from coordinator.access.store import Key, key_store
from coordinator.database import Database
from stoculus.errors import Conflict, NotFound, ServiceUnavailable

T = TypeVar("T")
ADMIN_KEY = "an-admin-key-of-the-settings"
DAY = timedelta(days=1)
READ = [Scope.READ_BACKTESTS]


class World:
    """Keys over a store of their own, and the time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = datetime(2024, 1, 10, 12, tzinfo=UTC)
        self.number = 0
        self.keys = self.opened()

    def opened(self) -> Keys:
        """Keys as a coordinator has them that starts now."""
        self.database = Database(f"sqlite:///{self.path}")
        return Keys(key_store(self.database), SecretStr(ADMIN_KEY), lambda: self.now, self._next_id)

    def _next_id(self) -> str:
        self.number += 1
        return f"key{self.number}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "store.sqlite")


def run(world: World, story: Callable[[Keys], Awaitable[T]]) -> T:
    async def go() -> T:
        await world.keys.load()
        told = await story(world.keys)
        await asyncio.gather(*world.keys._notes)
        return told

    return asyncio.run(go())


def test_a_key_lets_its_holder_in_with_its_scopes(world: World) -> None:
    async def story(keys: Keys) -> None:
        key, secret = await keys.create("research", [Scope.WRITE_STREAMS, *READ, *READ], None)

        caller = keys.holder(secret)

        assert caller is not None
        assert caller.scopes == set(key.scopes) == {Scope.READ_BACKTESTS, Scope.WRITE_STREAMS}
        assert not caller.may(Scope.READ_STREAMS)
        assert not caller.may(Scope.ADMIN)
        assert caller.name == f"The key research ({key.shown})"

    run(world, story)


def test_the_key_of_the_settings_may_do_everything_and_is_listed_nowhere(world: World) -> None:
    async def story(keys: Keys) -> None:
        caller = keys.holder(ADMIN_KEY)

        assert caller is not None
        assert all(map(caller.may, Scope))
        assert keys.all() == []

    run(world, story)


def test_the_key_of_the_settings_is_good_before_the_store_has_been_read(world: World) -> None:
    assert world.keys.holder(ADMIN_KEY) is not None
    with pytest.raises(ServiceUnavailable):
        world.keys.holder("stoc_any")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> tuple[Keys, Key, str]:
    world = World(tmp_path_factory.mktemp("known") / "store.sqlite")
    return (world.keys, *run(world, lambda keys: keys.create("a", READ, None)))


@given(text=st.text(max_size=60))
def test_nothing_else_lets_anybody_in(known: tuple[Keys, Key, str], text: str) -> None:
    keys, key, secret = known

    for wrong in (text, key.digest, key.shown, secret[:-1], secret + text + ".", secret.upper(), digest(ADMIN_KEY)):
        assert keys.holder(wrong) is None


def test_what_is_stored_lets_nobody_in_and_what_was_made_outlives_a_restart(world: World) -> None:
    key, secret = run(world, lambda keys: keys.create("research", READ, 2 * DAY))
    world.database.close()

    stored = b"".join(path.read_bytes() for path in world.path.parent.iterdir())
    world.keys = world.opened()

    assert secret.encode() not in stored
    assert secret.removeprefix("stoc_").encode() not in stored
    assert key.digest.encode() in stored
    assert run(world, lambda keys: asyncio.sleep(0, keys.all())) == [key]
    assert run(world, lambda keys: asyncio.sleep(0, keys.holder(secret))) is not None


def test_a_key_has_32_random_bytes_and_shows_four_characters(world: World) -> None:
    secrets = [run(world, lambda keys, n=n: keys.create(f"k{n}", READ, None))[1] for n in range(20)]  # type: ignore[misc]

    assert len(set(secrets)) == 20
    assert all(len(secret.removeprefix("stoc_")) == 43 for secret in secrets)
    assert shown(secrets[0]) == secrets[0][:9] + "****"


def test_a_key_ends_with_its_lifetime(world: World) -> None:
    async def story(keys: Keys) -> None:
        _, secret = await keys.create("a", READ, DAY)
        world.now += DAY - timedelta(microseconds=1)
        assert keys.holder(secret) is not None

        world.now += timedelta(microseconds=1)

        assert keys.holder(secret) is None

    run(world, story)


def test_a_rotated_key_is_good_for_the_overlap_beside_the_new_one(world: World) -> None:
    async def story(keys: Keys) -> None:
        old, old_secret = await keys.create("a", READ, 90 * DAY)
        world.now += DAY

        new, new_secret = await keys.rotate(old.key_id, timedelta(hours=2))

        assert (new.name, new.scopes, new.lifetime) == (old.name, old.scopes, old.lifetime)
        assert new.expires_at == world.now + 90 * DAY
        assert keys.holder(old_secret)
        assert keys.holder(new_secret)
        world.now += timedelta(hours=2)
        assert keys.holder(old_secret) is None
        assert keys.holder(new_secret)

    run(world, story)


def test_a_key_that_would_end_sooner_is_not_made_to_last_by_rotation(world: World) -> None:
    async def story(keys: Keys) -> None:
        old, _ = await keys.create("a", READ, timedelta(hours=1))
        await keys.rotate(old.key_id, DAY)

        assert keys.all()[0].expires_at == old.expires_at

    run(world, story)


def test_there_are_two_keys_of_a_name_at_the_most(world: World) -> None:
    async def story(keys: Keys) -> None:
        first, _ = await keys.create("a", READ, None)
        second, _ = await keys.rotate(first.key_id, DAY)

        for key in (first, second):
            with pytest.raises(Conflict, match="two keys a"):
                await keys.rotate(key.key_id, DAY)
        world.now += DAY
        third, _ = await keys.rotate(second.key_id, DAY)

        assert keys.all() == [keys._get(second.key_id), third]

    run(world, story)


def test_a_name_is_in_use_as_long_as_its_key_is_good(world: World) -> None:
    async def story(keys: Keys) -> None:
        await keys.create("a", READ, DAY)
        with pytest.raises(Conflict, match="key a already"):
            await keys.create("a", READ, None)
        world.now += DAY
        await keys.create("a", READ, None)

    run(world, story)


def test_a_deleted_key_has_ended_and_an_ended_one_is_not_rotated(world: World) -> None:
    async def story(keys: Keys) -> None:
        deleted, secret = await keys.create("a", READ, None)
        ended, _ = await keys.create("b", READ, DAY)
        await keys.delete(deleted.key_id)
        world.now += DAY

        assert keys.holder(secret) is None
        with pytest.raises(NotFound):
            await keys.delete(deleted.key_id)
        with pytest.raises(NotFound):
            await keys.rotate(deleted.key_id, DAY)
        with pytest.raises(Conflict, match="has ended"):
            await keys.rotate(ended.key_id, DAY)

    run(world, story)


def test_there_is_an_end_to_the_number_of_keys(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_keys, "MOST_KEYS", 1)

    async def story(keys: Keys) -> None:
        await keys.create("a", READ, None)
        with pytest.raises(Conflict, match="1 keys"):
            await keys.create("b", READ, None)

    run(world, story)


def test_the_day_of_the_last_use_is_noted_once_a_day(world: World) -> None:
    async def story(keys: Keys) -> tuple[date | None, int]:
        _, secret = await keys.create("a", READ, None)
        for hours in (1, 1, 24):
            world.now += timedelta(hours=hours)
            keys.holder(secret)
            await asyncio.gather(*keys._notes)
        (key,) = keys.all()
        return key.last_used_on, key.version

    assert run(world, story) == (date(2024, 1, 11), 3)


def test_a_use_that_cannot_be_noted_refuses_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(keys: Keys) -> None:
        _, secret = await keys.create("a", READ, None)

        async def fail(*_: object, **__: object) -> None:
            raise ServiceUnavailable("The store is full.")

        monkeypatch.setattr(keys._rows, "change", fail)
        assert keys.holder(secret)

    run(world, story)

    assert "The store is full." in caplog.text


def test_a_store_that_is_away_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_keys, "READ_AGAIN_S", 0.01)
    world.path.mkdir()

    async def story() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await world.keys.load()
        assert world.keys.trouble
        world.path.rmdir()
        await world.keys.load()

    asyncio.run(story())
    assert world.keys.trouble is None


def test_a_key_is_in_no_log_and_no_repr(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def story(keys: Keys) -> list[str]:
        key, first = await keys.create("a", READ, None)
        new, second = await keys.rotate(key.key_id, DAY)
        told = [repr(key), repr(new), repr(keys.holder(first)), repr(keys.all())]
        await keys.delete(key.key_id)
        return [first, second, "".join(told)]

    first, second, told = run(world, story)

    assert "key a" in caplog.text
    for secret in (first, second):
        assert secret[9:] not in caplog.text + told
        assert secret[:9] + "****" in told
