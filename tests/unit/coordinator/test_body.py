"""What a request may be as long as."""

import json
import string
from itertools import islice, product

from coordinator.backtests.models import Submission, plan
from coordinator.remote import as_json
from coordinator.selections import MAX_TOPICS
from services.kit.app import MAX_BODY_BYTES, MAX_SERVICE_BODY_BYTES
from stoculus.selection import MOST_NAMED

ROOTS = ["".join(letters) for letters in islice(product(string.ascii_uppercase, repeat=6), MAX_TOPICS)]


def chain(root: str, contracts: int) -> dict[str, object]:
    named = [f"{root:<6}240105C{strike:08d}" for strike in range(1000, 1000 * (contracts + 1), 1000)]
    return {"asset": "option", "root": root, "schema": "tradegreeks", "contracts": named}


def body(*data: dict[str, object]) -> bytes:
    return json.dumps({"backtest_id": "b" * 64, "start": "2024-01-02", "end": "2024-01-05", "data": data}).encode()


def told(request: bytes) -> int:
    """The length of what a service is told of a request."""
    return sum(len(as_json(one.task)) + 1 for one in plan(Submission.model_validate_json(request), "b" * 64))


def test_as_many_chains_as_there_may_be_fit_with_thirty_contracts_each() -> None:
    request = body(*(chain(root, 30) for root in ROOTS))

    assert len(request) < MAX_BODY_BYTES
    assert told(request) < MAX_SERVICE_BODY_BYTES


def test_as_many_contracts_as_one_selection_may_name_fit() -> None:
    assert len(body(chain("SPXW", MOST_NAMED))) < MAX_BODY_BYTES


def test_what_a_service_is_told_of_the_shortest_request_for_most_topics_fits() -> None:
    request = body({"asset": "stock", "symbols": ROOTS, "schema": "quote"})

    assert told(request) < MAX_BODY_BYTES
