"""What is known of the work: checkpoints taken in, watchers told."""

from datetime import UTC, datetime

import orjson

from coordinator.backtests.manifest import Manifests, manifest
from coordinator.backtests.models import Submission
from coordinator.backtests.states import Observed
from coordinator.backtests.store import Backtest
from coordinator.backtests.views import detail
from coordinator.changes import Changes
from coordinator.progress import Progress
from coordinator.remote import ServiceView
from stoculus.checkpoints import Checkpoint, Failure
from stoculus.tasks import TaskStatus

NOW = datetime(2024, 1, 10, tzinfo=UTC)
TOPIC = "stock-aapl-quote-historical-42"
BACKTEST = Backtest(
    "42",
    NOW,
    Submission.model_validate(
        {
            "start": "2024-01-02",
            "end": "2024-01-02",
            "data": [{"asset": "stock", "symbols": ["AAPL"], "schema": "quote"}],
        }
    ),
)
MIXED = Backtest(
    "42",
    NOW,
    Submission.model_validate(
        {
            "start": "2024-01-02",
            "end": "2024-01-02",
            "data": [
                {"asset": "stock", "symbols": ["AAPL"], "schema": "quote"},
                {"asset": "option", "root": "SPXW", "schema": "iv", "expirations": {"dte": {"max": 0}}},
            ],
        }
    ),
)


def checkpoint(state: str = "running", records: int = 5) -> bytes:
    value = {
        "task_id": TOPIC,
        "backtest_id": "42",
        "record": "io.stoculus.StockQuote",
        "schema": "quote",
        "symbol": "AAPL",
        "state": state,
        "attempt": 1,
        "records": records,
        "last_offset": records,
        "updated_at": NOW,
    }
    if state == "failed":
        value["failure"] = Failure(code="too_many_bad_rows", message="Bad.")
    return Checkpoint.model_validate(value).to_json()


def test_the_newest_checkpoint_of_a_task_counts_and_a_tombstone_forgets_it() -> None:
    progress = Progress()

    assert progress.apply([(TOPIC, checkpoint(records=1)), (TOPIC, checkpoint(records=2))]) == {"42"}
    assert progress.checkpoints[TOPIC].records == 2
    assert progress.apply([(TOPIC, None)]) == {"42"}
    assert progress.checkpoints == {}


def test_a_value_that_is_no_checkpoint_is_passed_over() -> None:
    progress = Progress()

    assert progress.apply([("other", b"{"), (TOPIC, checkpoint())]) == {"42"}


def test_a_task_shows_its_checkpoint_and_what_it_waits_for() -> None:
    progress = Progress()
    progress.apply([(TOPIC, checkpoint())])
    status = TaskStatus(task_id=TOPIC, state="waiting", attempt=1, reason="The vendor is away.")
    progress.services["stock"] = ServiceView({TOPIC: status}, trouble=None)

    shown = detail(BACKTEST, progress)

    assert (shown.state, shown.records) == (Observed.RUNNING, 5)
    assert (shown.tasks[0].records, shown.tasks[0].waiting) == (5, "The vendor is away.")


def test_a_failed_task_shows_why() -> None:
    progress = Progress()
    progress.apply([(TOPIC, checkpoint("failed"))])

    shown = detail(BACKTEST, progress)

    assert shown.state is Observed.FAILED
    assert shown.tasks[0].failure == Failure(code="too_many_bad_rows", message="Bad.")


def test_a_task_that_no_service_takes_shows_the_trouble() -> None:
    progress = Progress()
    progress.services["stock"].trouble = "The service does not answer."

    assert detail(BACKTEST, progress).tasks[0].waiting == "The service does not answer."


def test_a_task_waits_for_its_own_service_alone() -> None:
    progress = Progress()
    progress.services["stock"] = ServiceView({TOPIC: TaskStatus(task_id=TOPIC, state="running", attempt=1)}, None)
    progress.services["option"] = ServiceView(trouble="historical-option does not answer.")

    assert [task.waiting for task in detail(MIXED, progress).tasks] == [None, "historical-option does not answer."]
    progress.services["stock"].trouble = "historical-stock does not answer."
    assert detail(MIXED, progress).tasks[0].waiting == "historical-stock does not answer."


def test_a_manifest_names_the_feed_of_each_topic() -> None:
    value = orjson.loads(manifest(MIXED, Observed.RUNNING, Progress(), NOW))

    assert [(t["symbol"], t["schema"], t["record"], t["feed"]) for t in value["topics"]] == [
        ("AAPL", "quote", "io.stoculus.StockQuote", "SIP consolidated tape"),
        ("SPXW", "iv1m", "io.stoculus.OptionImpliedVolatility", "OPRA"),
    ]


def test_a_manifest_is_written_once_a_state() -> None:
    progress, manifests = Progress(), Manifests()
    progress.apply([(TOPIC, checkpoint("completed"))])

    assert not manifests.says(BACKTEST, Observed.COMPLETED)
    manifests.apply([("42", manifest(BACKTEST, Observed.COMPLETED, progress, NOW))])
    assert manifests.says(BACKTEST, Observed.COMPLETED)
    assert not manifests.says(BACKTEST, Observed.FAILED)
    manifests.apply([("42", None)])
    assert not manifests.says(BACKTEST, Observed.COMPLETED)


def test_those_who_watch_are_told_until_they_leave() -> None:
    changes = Changes()
    first, second = changes.watch("42"), changes.watch("42")
    changes.watch("43")

    changes.tell("42")
    assert (first.is_set(), second.is_set(), changes.watched) == (True, True, 3)
    changes.unwatch("42", first)
    changes.unwatch("42", second)
    changes.tell("42")
    assert changes.watched == 1
