"""An option task as the kit's runner takes it: a chunk is fetched by all its requests, sorted, and encoded."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from services.historical_option.gather import gather
from services.historical_option.plan import first_expiration, requests_of, vendor_interval, windows_of
from services.historical_option.sort import ChainSorter
from services.kit.chains import Chains
from services.kit.columns import empty_rows_of
from services.kit.fetch import BLOCK_BYTES
from services.kit.job import JobFacts
from services.kit.prepare import OUTSIDE, Prepared, bounds_us, set_apart
from services.kit.records.option import (
    MAPPINGS,
    Contracts,
    sortable_schema,
    to_records,
    to_sortable,
    wanted_rows,
)
from stoculus.checkpoints import VendorRequest
from stoculus.errors import NoData
from stoculus.instruments import OptionContract
from stoculus.records.codec import encode
from stoculus.tasks import OptionTask
from theta_client.client import BadRow, Block, OptionRequest, ThetaClient, Window

_CHOSEN = ("start_date", "end_date", "start_time", "end_time", "expiration", "strike", "right", "max_dte")
"""Parameters that differ from request to request."""


@dataclass(slots=True)
class _LeftOut:
    """What a chunk leaves out and sets apart, before it is sorted."""

    empty_rows: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    answers: int = 0
    no_data: NoData | None = None


class OptionJob:
    """Implements services.kit.job.Job."""

    def __init__(self, task: OptionTask, client: ThetaClient, chains: Chains, sorter: ChainSorter) -> None:
        self._task = task
        self._client = client
        self._chains = chains
        self._sorter = sorter
        self._root = task.symbol
        self._schema = task.record_schema
        self._record = self._schema.record
        self._mapping = MAPPINGS[self._schema.kind]
        self._is_empty = empty_rows_of(task)
        self.facts = self._facts()

    def read(self, window: Window, aborted: threading.Event, *, tolerate_cut: bool) -> Iterator[Prepared]:
        """See Job."""
        requests = requests_of(self._task, window, self._chains.for_task(aborted))
        if not requests:
            raise NoData(f"the vendor lists no such contracts of {self._root} on {window.start}")
        left_out, contracts = _LeftOut(), Contracts(self._root)
        fetches = [partial(self._fetch, request, left_out, tolerate_cut) for request in requests]
        blocks = gather(fetches, self._client.tier.concurrency, aborted)
        # In the sort's thread, while others fetch and parse.
        rows = (self._sortable(block, request, window, left_out) for request, block in blocks)
        try:
            for batch in self._sorter.sorted(sortable_schema(self._record), rows):
                yield self._prepared(batch, contracts, left_out)
                left_out = _LeftOut(answers=left_out.answers)
        finally:
            blocks.close()
        if left_out.no_data and not left_out.answers:
            raise left_out.no_data
        if left_out.empty_rows or left_out.bad_rows:
            none = pa.RecordBatch.from_pylist([], sortable_schema(self._record))
            yield self._prepared(none, contracts, left_out)

    def explain_no_data(self, error: NoData) -> str:
        """See Job. The root is in the vendor's list, else `read` had refused it; the day is settled."""
        return f"the vendor has no data: {error.message}"

    def _fetch(
        self, request: OptionRequest, left_out: _LeftOut, tolerate_cut: bool, stop: threading.Event
    ) -> Iterator[tuple[OptionRequest, Block]]:
        blocks = self._client.history(
            request, self._mapping.columns, block_bytes=BLOCK_BYTES, aborted=stop, tolerate_cut=tolerate_cut
        )
        try:
            for block in blocks:
                yield request, block
        except NoData as error:
            left_out.no_data = error

    def _sortable(self, block: Block, request: OptionRequest, window: Window, left_out: _LeftOut) -> pa.RecordBatch:
        """The wanted rows of a block; what is left out is counted."""
        rows = to_sortable(block.batch, block.lines, self._mapping, self._record, request.root)
        low_us, high_us = bounds_us(window)
        times = rows["ts_event"].to_numpy(zero_copy_only=False)
        rows, misplaced = set_apart(rows, block, (times >= low_us) & (times <= high_us), OUTSIDE)
        left_out.answers += 1
        left_out.bad_rows += [replace(row, cause=f"{row.cause} ({request})") for row in (*block.bad_rows, *misplaced)]
        rows = filled = wanted_rows(rows, self._root, partial(self._is_wanted, window))
        if self._is_empty is not None and rows.num_rows:
            filled = rows.filter(pc.invert(self._is_empty(rows)))
        left_out.empty_rows += rows.num_rows - filled.num_rows
        return filled

    def _is_wanted(self, window: Window, contract: OptionContract) -> bool:
        # The vendor's test contracts expired in years such as 1882.
        if contract.expiration < first_expiration(self._task, window.start):
            return False
        return self._task.has(contract, window.start)

    def _prepared(self, batch: pa.RecordBatch, contracts: Contracts, left_out: _LeftOut) -> Prepared:
        rows = to_records(batch, self._record, contracts)
        return Prepared(
            cast(pa.StringArray, rows["symbol"]),
            cast(pa.TimestampArray, rows["ts_event"]),
            encode(rows, self._record),
            sorted(left_out.bad_rows, key=lambda row: (row.cause, row.line)),
            left_out.empty_rows,
            batch.nbytes,
        )

    def _facts(self) -> JobFacts:
        task, windows = self._task, windows_of(self._task)
        sent = OptionRequest(self._mapping.endpoint, self._root, windows[0], interval=vendor_interval(self._schema))
        return JobFacts(
            task_id=task.task_id,
            backtest_id=task.backtest_id,
            schema_name=self._schema.name,
            symbol=self._root,
            record=self._record,
            windows=windows,
            request=VendorRequest(path=sent.path, params={k: v for k, v in sent.params.items() if k not in _CHOSEN}),
            attempt=task.attempt,
            max_bad_rows=task.max_bad_rows,
        )
