"""/v1/keys: API keys."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from coordinator.access.keys import Keys
from coordinator.access.scopes import Scope, needs
from coordinator.access.store import Key
from coordinator.durations import Duration, Ttl

_LONGEST_OVERLAP: Final = timedelta(days=30)


class NewKey(BaseModel):
    """A key to make."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "research", "scopes": ["backtests:read", "backtests:write"]}},
    )

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="who or what it is for")
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    ttl: Ttl | None = Field(default=None, description="it ends this long after it was made: 12h, 90d; none: never")


class Rotation(BaseModel):
    """How a key is rotated."""

    model_config = ConfigDict(extra="forbid")

    overlap: Annotated[Duration, Field(ge=timedelta(0), le=_LONGEST_OVERLAP)] = Field(
        default=timedelta(days=1), description="how long the old key is good beside the new one: 1d, 0s"
    )


class KeyView(BaseModel):
    """What is shown of a key: `shown` is its beginning."""

    key_id: str
    name: str
    scopes: list[Scope]
    shown: str
    state: Literal["active", "ended"]
    created_at: datetime
    expires_at: datetime | None
    last_used_on: date | None


class KeyList(BaseModel):
    """All keys, the oldest first."""

    keys: list[KeyView]


class MadeKey(KeyView):
    """A key that was made. `key` is told here and never again."""

    key: str


@dataclass(frozen=True, slots=True)
class KeysApi:
    """The endpoints and what they need."""

    keys: Keys

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/v1", tags=["keys"], dependencies=needs(Scope.ADMIN))
        add = router.add_api_route
        add("/keys", self.create, methods=["POST"], status_code=201)
        add("/keys", self.list, methods=["GET"])
        one = "/keys/{key_id}"
        add(f"{one}:rotate", self.rotate, methods=["POST"], status_code=201)
        add(one, self.delete, methods=["DELETE"])
        return router

    async def create(self, new: NewKey, response: Response) -> MadeKey:
        """Make a key. It is in the answer, and nowhere else: keep it."""
        return self._made(*await self.keys.create(new.name, new.scopes, new.ttl), response)

    async def list(self) -> KeyList:
        """All keys, the oldest first: what they may do, and when they were last used."""
        return KeyList(keys=[self._view(key) for key in self.keys.all()])

    async def rotate(self, key_id: str, response: Response, rotation: Rotation | None = None) -> MadeKey:
        """Make another key of the same name and scopes. The old one is good for the overlap."""
        return self._made(*await self.keys.rotate(key_id, (rotation or Rotation()).overlap), response)

    async def delete(self, key_id: str) -> KeyView:
        """End a key at once."""
        return self._view(await self.keys.delete(key_id)).model_copy(update={"state": "ended"})

    def _made(self, key: Key, secret: str, response: Response) -> MadeKey:
        response.headers["Cache-Control"] = "no-store"
        return MadeKey(**dict(self._view(key)), key=secret)

    def _view(self, key: Key) -> KeyView:
        return KeyView(
            key_id=key.key_id,
            name=key.name,
            scopes=list(key.scopes),
            shown=key.shown,
            state="active" if self.keys.is_active(key) else "ended",
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_on=key.last_used_on,
        )
