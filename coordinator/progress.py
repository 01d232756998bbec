"""How far backtests have come: the checkpoint topic and the services' lists, kept in memory and never assumed."""

import logging
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from coordinator.remote import ServiceView
from coordinator.tail import Record
from stoculus.checkpoints import Checkpoint
from stoculus.records.catalog import RECORDS, Asset
from stoculus.tasks import TaskStatus

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """What is known now. Touched by the event loop alone.

    `starting` is on its way to a service, and `refused` is what a service would not take, and why.
    """

    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    services: dict[Asset, ServiceView[TaskStatus]] = field(
        default_factory=lambda: {asset: ServiceView() for asset in RECORDS}
    )
    starting: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def held(self) -> Mapping[str, TaskStatus]:
        """The tasks that any service has."""
        return ChainMap(*(view.held for view in self.services.values()))

    def apply(self, records: list[Record]) -> set[str]:
        """Take records of the checkpoint topic in; return the ids of the backtests that they touch."""
        touched = set()
        for task_id, value in records:
            old = self.checkpoints.pop(task_id, None)
            try:
                new = Checkpoint.model_validate_json(value) if value else None
            except ValidationError as error:
                log.warning("The checkpoint of %s is not one, it is passed over: %s", task_id, error)
                continue
            if new:
                self.checkpoints[task_id] = new
            if known := new or old:
                touched.add(known.backtest_id)
        return touched
