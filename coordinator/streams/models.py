"""What a user submits as a stream, and what the live service is told of it."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from coordinator.selections import Asked, Part, Selection, StockSelection, few_enough
from stoculus import topics
from stoculus.located import Located
from stoculus.streams import (
    MOST_WARMUP_DAYS,
    OptionFeed,
    StockFeed,
    StreamId,
    StreamSession,
    StreamSpec,
    streamed_schema,
    warmup_days,
)


def _streamed(selection: Selection) -> Selection:
    streamed_schema(selection.schema_name, selection.interval, selection.asset)
    return selection


StreamedSelection = Annotated[Selection, AfterValidator(_streamed), Located]
"""An element of `data`: schemas that the vendor streams, or that are made of what it streams."""


class StreamSubmission(BaseModel):
    """A stream as submitted: live records of instruments, on a topic for each symbol or root and schema."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "stream_id": "tape",
                "session": "extended",
                "data": [
                    {"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "trade"},
                    {
                        "asset": "option",
                        "root": "SPXW",
                        "schema": "quote",
                        "expirations": {"dte": {"min": 0, "max": 1}},
                        "strikes": {"min": 4600, "max": 4800},
                    },
                ],
            }
        },
    )

    stream_id: StreamId | None = Field(
        default=None, description="a-z, 0-9, _ and -; the same body again is the same stream; none: a new one each time"
    )
    session: StreamSession = Field(default="always", description="when it is subscribed, by the market's calendar")
    warmup: str | None = Field(
        default=None,
        description=f"history first, on topics that hold nothing yet: 2d is today and the two trading days before; "
        f"at most {MOST_WARMUP_DAYS}d",
    )
    data: list[StreamedSelection] = Field(min_length=1)

    @model_validator(mode="after")
    def _canonical(self) -> Self:
        if self.stream_id is not None:
            topics.backtest_id(self.stream_id, field="stream_id")
        if self.warmup is not None:
            self.warmup = f"{warmup_days(self.warmup)}d"
        few_enough(sum(len(list(selection.parts())) for selection in self.data), "data")
        return self

    def canonical(self) -> dict[str, Any]:
        """The request as JSON, in the one form that equal requests share; without its id."""
        body = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"stream_id", "data"})
        return body | {"data": [selection.canonical() for selection in self.data]}


@dataclass(frozen=True, slots=True)
class AskedFeed(Asked):
    """What the live service is told of a part of a selection."""

    feed: StockFeed | OptionFeed


def feeds(submission: StreamSubmission) -> list[AskedFeed]:
    """The feeds of a stream in the request's order, each once. Options of one root and schema share a topic."""
    found: dict[str, AskedFeed] = {}
    for i, selection in enumerate(submission.data):
        for part in selection.parts():
            feed = _feed(selection, part)
            found.setdefault(feed.model_dump_json(), AskedFeed(f"data[{i}]", part, feed))
    return list(found.values())


def spec(submission: StreamSubmission, stream_id: str, asked: list[AskedFeed]) -> StreamSpec:
    """What the live service is told of a stream."""
    return StreamSpec(
        stream_id=stream_id,
        session=submission.session,
        warmup=submission.warmup,
        feeds=[one.feed for one in asked],
    )


def _feed(selection: Selection, part: Part) -> StockFeed | OptionFeed:
    kind = StockFeed if isinstance(selection, StockSelection) else OptionFeed
    return kind.model_validate({"schema": selection.schema_name, "interval": selection.interval, **part.chosen})
