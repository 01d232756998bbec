"""What the tests of the client on the simulator share."""

from typing import Any

import httpx2
import pyarrow as pa

from theta_client.client import Block, Budget
from theta_client.session import BUDGETS

QUICK = {cause: Budget(3, 0.01, 0.05) for cause in BUDGETS}


def break_it(simulator: str, path: str | None, fault: dict[str, Any], **script: Any) -> None:
    """Script a fault for the requests to a path, or for all."""
    match = {} if path is None else {"path": path}
    httpx2.post(f"{simulator}/__faults", json={"match": match, "fault": fault, **script}).raise_for_status()


def table(blocks: list[Block]) -> pa.Table:
    return pa.Table.from_batches([block.batch for block in blocks])
