"""A stock task as the kit's runner takes it."""

import threading
from collections.abc import Iterator

from services.historical_stock.plan import request_of, windows_of
from services.kit.columns import empty_rows_of
from services.kit.fetch import BLOCK_BYTES
from services.kit.job import JobFacts
from services.kit.names import NameList
from services.kit.prepare import Prepared, Preparer
from services.kit.records.stock import MAPPINGS, to_records
from stoculus.checkpoints import VendorRequest
from stoculus.errors import NoData
from stoculus.tasks import StockTask
from theta_client.client import ThetaClient, Window

_DATES = ("start_date", "end_date", "start_time", "end_time")


class StockJob:
    """Implements services.kit.job.Job."""

    def __init__(self, task: StockTask, client: ThetaClient, symbols: NameList) -> None:
        self._task = task
        self._client = client
        self._symbols = symbols
        self._schema = task.record_schema
        self._mapping = MAPPINGS[self._schema.kind]
        self.facts = self._facts()

    def read(self, window: Window, aborted: threading.Event, *, tolerate_cut: bool) -> Iterator[Prepared]:
        """See Job."""
        symbol = self._symbols.vendor_name(self._task.symbol, field="ticker")
        blocks = self._client.history(
            request_of(self._task, symbol, window),
            self._mapping.columns,
            block_bytes=BLOCK_BYTES,
            aborted=aborted,
            tolerate_cut=tolerate_cut,
        )
        record, ticker = self._schema.record, self._task.stock.ticker
        preparer = Preparer(
            ticker.encode(),
            record,
            lambda batch: to_records(batch, self._mapping, record, ticker),
            empty_rows_of(self._task),
            window,
        )
        return preparer.prepare(blocks)

    def explain_no_data(self, error: NoData) -> str:
        """See Job. The symbol is in the vendor's list, else `read` had refused it; the day is settled."""
        return f"the vendor has no data: {error.message}"

    def _facts(self) -> JobFacts:
        task, windows = self._task, windows_of(self._task)
        sent = request_of(task, task.stock.ticker, windows[0])
        return JobFacts(
            task_id=task.task_id,
            backtest_id=task.backtest_id,
            schema_name=self._schema.name,
            symbol=task.stock.ticker,
            record=self._schema.record,
            windows=windows,
            request=VendorRequest(path=sent.path, params={k: v for k, v in sent.params.items() if k not in _DATES}),
            attempt=task.attempt,
            max_bad_rows=task.max_bad_rows,
        )
