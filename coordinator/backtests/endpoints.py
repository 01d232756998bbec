"""/v1/backtests: the API of design section 5."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from coordinator.access.limits import Seats
from coordinator.access.scopes import Scope, needs
from coordinator.backtests import views
from coordinator.backtests.models import Submission
from coordinator.backtests.records import MAX_RECORDS, RecordReader, choose_topic
from coordinator.backtests.service import Backtests
from coordinator.backtests.states import Action, Observed
from coordinator.backtests.views import BacktestDetail, BacktestPage, Deletion, Estimate, Receipts
from coordinator.changes import Changes
from coordinator.events import HEARTBEAT_S, follow
from coordinator.progress import Progress
from stoculus.errors import Conflict, InvalidRequest

DELETE_WAIT_S: Final = 10

Limit = Annotated[int, Query(ge=1, le=200)]


class Retry(BaseModel):
    """How a failed backtest goes on. `max_bad_rows`: malformed rows that each task may put in quarantine."""

    model_config = ConfigDict(extra="forbid")

    max_bad_rows: int | None = Field(default=None, ge=0, le=2**31 - 1)


@dataclass(frozen=True, slots=True)
class BacktestsApi:
    """The endpoints and what they need."""

    backtests: Backtests
    progress: Progress
    changes: Changes
    reader: RecordReader
    seats: Seats

    def router(self) -> APIRouter:
        """The routes."""
        router = APIRouter(prefix="/v1", tags=["backtests"])
        add, read, write = router.add_api_route, needs(Scope.READ_BACKTESTS), needs(Scope.WRITE_BACKTESTS)
        seat = Depends(self.seats.hold)
        add(
            "/backtests",
            self.submit,
            methods=["POST"],
            status_code=202,
            response_model=BacktestDetail,
            dependencies=write,
        )
        add("/backtests:estimate", self.estimate, methods=["POST"], dependencies=read)
        add("/backtests", self.list, methods=["GET"], dependencies=read)
        one = "/backtests/{backtest_id}"
        add(f"{one}:pause", self.pause, methods=["POST"], dependencies=write)
        add(f"{one}:resume", self.resume, methods=["POST"], dependencies=write)
        add(f"{one}:cancel", self.cancel, methods=["POST"], dependencies=write)
        add(f"{one}:retry", self.retry, methods=["POST"], dependencies=write)
        add(
            f"{one}/events",
            self.events,
            methods=["GET"],
            response_class=EventSourceResponse,
            dependencies=[*read, seat],
        )
        add(f"{one}/receipt", self.receipt, methods=["GET"], dependencies=read)
        add(f"{one}/records", self.records, methods=["GET"], response_class=Response, dependencies=read)
        add(one, self.show, methods=["GET"], dependencies=read)
        add(one, self.delete, methods=["DELETE"], dependencies=write)
        return router

    async def submit(self, submission: Submission, response: Response) -> BacktestDetail:
        """Submit a backtest. 202: it is new. 200: it was submitted before with this id and this request."""
        backtest, is_new = await self.backtests.submit(submission)
        response.status_code = 202 if is_new else 200
        response.headers["Location"] = f"/v1/backtests/{backtest.backtest_id}"
        return views.detail(backtest, self.progress)

    async def estimate(self, submission: Submission) -> Estimate:
        """Say what a backtest would cost; nothing is stored."""
        return await self.backtests.estimate(submission)

    async def list(self, limit: Limit = 50, cursor: str | None = None) -> BacktestPage:
        """Backtests, the newest first."""
        rows = self.backtests.page(limit + 1, cursor)
        more = rows[limit - 1].backtest_id if len(rows) > limit else None
        return BacktestPage(backtests=[views.view(row, self.progress) for row in rows[:limit]], next_cursor=more)

    async def show(self, backtest_id: str) -> BacktestDetail:
        """A backtest with its tasks."""
        return self._detail(backtest_id)

    async def pause(self, backtest_id: str) -> BacktestDetail:
        """Stop the tasks at their next block; what is on the topics stays."""
        return await self._act(backtest_id, Action.PAUSE)

    async def resume(self, backtest_id: str) -> BacktestDetail:
        """Go on where the tasks stopped."""
        return await self._act(backtest_id, Action.RESUME)

    async def cancel(self, backtest_id: str) -> BacktestDetail:
        """Stop for good; what is on the topics stays until the backtest is deleted."""
        return await self._act(backtest_id, Action.CANCEL)

    async def retry(self, backtest_id: str, retry: Retry | None = None) -> BacktestDetail:
        """Run the failed tasks again from where they stopped, tolerating so many malformed rows each."""
        return await self._act(backtest_id, Action.RETRY, (retry or Retry()).max_bad_rows)

    async def delete(self, backtest_id: str, response: Response) -> Deletion:
        """Delete a backtest and its topics. 200: they are gone. 202: they go when broker and services let them."""
        backtest = await self.backtests.delete(backtest_id)
        event = self.changes.watch(backtest_id)
        try:
            async with asyncio.timeout(DELETE_WAIT_S):
                while not self.backtests.row(backtest_id).purged_at:
                    await event.wait()
                    event.clear()
        except TimeoutError:
            response.status_code = 202
        finally:
            self.changes.unwatch(backtest_id, event)
        gone = self.backtests.row(backtest_id).purged_at
        return Deletion(backtest_id=backtest_id, state="deleted" if gone else "deleting", topics=backtest.topics)

    async def events(self, backtest_id: str) -> EventSourceResponse:
        """Server-sent events: `state` with the whole backtest at once and at each change; the stream ends with it."""
        self._detail(backtest_id)
        stream = follow(backtest_id, self.changes, lambda: self._detail(backtest_id))
        return EventSourceResponse(stream, ping=HEARTBEAT_S)

    async def receipt(self, backtest_id: str) -> Receipts:
        """What a completed backtest wrote; 409 before that."""
        backtest = self.backtests.get(backtest_id)
        state = self.backtests.observed(backtest)
        if state is not Observed.COMPLETED:
            raise Conflict(
                f"Backtest {backtest_id} is {state}: there is a receipt when it is completed.",
                remedy=f"Watch GET /v1/backtests/{backtest_id}/events.",
            )
        found = views.receipts(backtest, self.progress)
        return Receipts(
            backtest_id=backtest_id,
            state=state,
            topics=backtest.topics,
            records=sum(receipt.records for receipt in found),
            receipts=[receipt.model_dump(mode="json", by_alias=True) for receipt in found],
        )

    async def records(
        self,
        request: Request,
        backtest_id: str,
        accept: Annotated[str, Header()] = "*/*",
        topic: Annotated[str | None, Query(description="may be left out where there is one")] = None,
        start: Annotated[
            str | None, Query(alias="from", description="market time; a day, or a time without offset, is New York's")
        ] = None,
        cursor: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="X-Next-Cursor of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_RECORDS)] = 1000,
    ) -> Response:
        """Committed records: NDJSON, or by `Accept` text/csv or application/vnd.apache.arrow.stream.

        `X-Next-Cursor` goes on behind the last record; it is missing at the end of a complete topic.
        """
        if start is not None and cursor is not None:
            raise InvalidRequest("from and cursor both say where to start.", remedy="Use one of them.", field="cursor")
        backtest = self.backtests.get(backtest_id)
        name = choose_topic(backtest, topic)
        checkpoint = self.progress.checkpoints.get(name)
        begin = cursor if start is None else start
        page = await run_in_threadpool(self.reader.read, backtest, name, checkpoint, begin, limit, accept)
        headers = {"X-Topic": name}
        if page.next_cursor is not None:
            following: dict[str, Any] = {"topic": name, "cursor": page.next_cursor, "limit": limit}
            headers["X-Next-Cursor"] = str(page.next_cursor)
            headers["Link"] = (
                f'<{request.url.replace_query_params(**following).remove_query_params("from")}>; rel="next"'
            )
        return Response(page.content, headers=headers, media_type=page.media_type)

    async def _act(self, backtest_id: str, action: Action, max_bad_rows: int | None = None) -> BacktestDetail:
        backtest = await self.backtests.act(backtest_id, action, max_bad_rows)
        return views.detail(backtest, self.progress)

    def _detail(self, backtest_id: str) -> BacktestDetail:
        return views.detail(self.backtests.get(backtest_id), self.progress)
