"""API keys: made, found by what callers send, rotated, deleted. What is stored of a key does not let anybody in."""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Final

from pydantic import SecretStr

from coordinator.access.scopes import Caller, Scope
from coordinator.access.store import Key
from coordinator.rows import Rows
from coordinator.store import Store
from stoculus.errors import Conflict, NotFound, ServiceUnavailable, StoculusError

MOST_KEYS: Final = 1000
READ_AGAIN_S: Final = 1
_PREFIX: Final = "stoc_"
_RANDOM_BYTES: Final = 32
_SHOWN_CHARACTERS: Final = 4
log = logging.getLogger(__name__)


def digest(secret: str) -> str:
    """What is stored of a key. It is random: a slow hash would protect nothing more."""
    return hashlib.sha256(secret.encode()).hexdigest()


def shown(secret: str) -> str:
    """What is shown of a key, so that its holder knows it again."""
    return f"{secret[: len(_PREFIX) + _SHOWN_CHARACTERS]}****"


class Keys:
    """Every key, and the admin's of the settings. Used on the event loop."""

    def __init__(
        self,
        store: Store[Key],
        admin_key: SecretStr | None,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._rows = Rows(store)
        self._admin = digest(admin_key.get_secret_value()) if admin_key else None
        self._now = now
        self._new_id = new_id
        self._changing = asyncio.Lock()
        self._noted: dict[str, date] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read the store; return when it has been read."""
        while self._rows.trouble:
            try:
                await self._rows.load()
            except ServiceUnavailable as error:
                log.warning("%s", error)
                await asyncio.sleep(READ_AGAIN_S)

    @property
    def trouble(self) -> ServiceUnavailable | None:
        """Why the store has not been read."""
        return self._rows.trouble

    def holder(self, secret: str) -> Caller | None:
        """Who holds this key; None where there is no such key, or no longer."""
        given = digest(secret)
        if self._admin and hmac.compare_digest(self._admin, given):
            return Caller("The key STOCULUS_ADMIN_KEY", frozenset({Scope.ADMIN}))
        # All are compared, each in the same time, so that the time tells nothing of what is stored.
        found = [key for key in self._rows.known.values() if hmac.compare_digest(key.digest, given)]
        if not found or not found[0].is_active(self._now()):
            return None
        self._note_use(found[0])
        return Caller(f"The key {found[0].name} ({found[0].shown})", frozenset(found[0].scopes))

    def all(self) -> list[Key]:
        """Every key, the oldest first."""
        return sorted(self._rows.known.values(), key=lambda key: (key.created_at, key.key_id))

    def is_active(self, key: Key) -> bool:
        return key.is_active(self._now())

    async def create(self, name: str, scopes: Iterable[Scope], lifetime: timedelta | None) -> tuple[Key, str]:
        """Make a key; return what is stored of it, and the key itself. Raise Conflict where the name is in use."""
        async with self._changing:
            if same := self._active(name):
                raise Conflict(
                    f"There is a key {name} already: {same[0].shown}.",
                    remedy="Use another name, rotate that one, or delete it.",
                    field="name",
                )
            return await self._add(name, tuple(sorted(set(scopes))), lifetime)

    async def rotate(self, key_id: str, overlap: timedelta) -> tuple[Key, str]:
        """Make another key of the same name and scopes; this one ends after the overlap."""
        async with self._changing:
            old, now = self._get(key_id), self._now()
            active = self._active(old.name)
            if old not in active:
                raise Conflict(f"Key {key_id} has ended.", remedy="Create another one.")
            if others := [key for key in active if key != old]:
                raise Conflict(
                    f"There are two keys {old.name} already: {old.shown} and {others[0].shown}.",
                    remedy="Delete the one that is not used any more.",
                )
            new, secret = await self._add(old.name, old.scopes, old.lifetime)
            ends = now + overlap
            await self._rows.change(old, expires_at=min(old.expires_at or ends, ends))
            return new, secret

    async def delete(self, key_id: str) -> Key:
        """End a key at once; raise NotFound where there is none."""
        async with self._changing:
            key = self._get(key_id)
            await self._rows.remove(key)
            log.info("key %s (%s) is deleted", key.name, key.shown)
            return key

    async def _add(self, name: str, scopes: tuple[Scope, ...], lifetime: timedelta | None) -> tuple[Key, str]:
        for ended in [key for key in self.all() if key.name == name and not self.is_active(key)]:
            await self._rows.remove(ended)
        if len(self._rows.known) >= MOST_KEYS:
            raise Conflict(f"There are {MOST_KEYS} keys already.", remedy="Delete those that are not used.")
        secret, now = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES), self._now()
        key = Key(
            key_id=self._new_id(),
            name=name,
            scopes=scopes,
            digest=digest(secret),
            shown=shown(secret),
            created_at=now,
            lifetime=lifetime,
            expires_at=now + lifetime if lifetime else None,
        )
        await self._rows.add(key)
        log.info("key %s (%s) is made, for %s", name, key.shown, ", ".join(scopes))
        return key, secret

    def _active(self, name: str) -> list[Key]:
        return [key for key in self.all() if key.name == name and self.is_active(key)]

    def _get(self, key_id: str) -> Key:
        try:
            return self._rows.known[key_id]
        except KeyError:
            raise NotFound(f"There is no key {key_id[:80]!r}.", remedy="GET /v1/keys lists those there are.") from None

    def _note_use(self, key: Key) -> None:
        """Once a day, beside the request."""
        today = self._now().date()
        if self._noted.get(key.key_id, key.last_used_on) != today:
            self._noted[key.key_id] = today
            note = asyncio.create_task(self._write_use(key.key_id, today))
            self._notes.add(note)
            note.add_done_callback(self._notes.discard)

    async def _write_use(self, key_id: str, day: date) -> None:
        async with self._changing:
            if key := self._rows.known.get(key_id):
                try:
                    await self._rows.change(key, last_used_on=day)
                except StoculusError as error:
                    log.warning("That key %s was used is not noted: %s", key.shown, error)
