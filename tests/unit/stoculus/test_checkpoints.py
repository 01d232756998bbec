from datetime import UTC, date, datetime

import orjson
from hypothesis import given
from hypothesis import strategies as st

from stoculus.checkpoints import NO_HASH, Checkpoint, Chunk, Failure, VendorRequest

MOMENTS = st.datetimes(datetime(2012, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CHECKPOINTS = st.builds(
    Checkpoint,
    task_id=st.text(),
    backtest_id=st.text(),
    record=st.just("io.stoculus.StockTrade"),
    schema=st.just("trade"),
    symbol=st.just("AAPL"),
    state=st.sampled_from(["running", "completed", "failed"]),
    attempt=st.integers(1, 9),
    records=st.integers(0, 10**12),
    first_ts_event=st.none() | MOMENTS,
    complete_until=st.none() | MOMENTS,
    chunk=st.none() | st.builds(Chunk, start=st.dates(), end=st.dates(), records=st.integers(0, 10**9)),
    days=st.dictionaries(st.dates(), st.integers(0)),
    empty_days=st.dictionaries(st.dates(), st.text()),
    request=st.none() | st.builds(VendorRequest, path=st.text(), params=st.dictionaries(st.text(), st.text())),
    warnings=st.lists(st.text()),
    failure=st.none() | st.builds(Failure, code=st.text(), message=st.text()),
    updated_at=MOMENTS,
)


@given(CHECKPOINTS)
def test_a_checkpoint_survives_the_topic(checkpoint: Checkpoint) -> None:
    assert Checkpoint.model_validate_json(checkpoint.to_json()) == checkpoint


def test_a_checkpoint_names_its_schema_as_requests_do_and_leaves_out_what_is_not() -> None:
    checkpoint = Checkpoint(
        task_id="t",
        backtest_id="1",
        record="io.stoculus.StockEod",
        schema="eod",
        symbol="AAPL",
        state="running",
        attempt=1,
        days={date(2024, 1, 2): 1},
        updated_at=datetime(2024, 1, 3, tzinfo=UTC),
    )

    written = orjson.loads(checkpoint.to_json())

    assert written["schema"] == "eod"
    assert written["hash"] == NO_HASH
    assert written["days"] == {"2024-01-02": 1}
    assert "failure" not in written
    assert "chunk" not in written


def test_fields_of_a_newer_version_are_no_error() -> None:
    assert (
        Checkpoint.model_validate_json(
            b'{"task_id":"t","backtest_id":"1","record":"r","schema":"eod","symbol":"A","state":"running","attempt":1,'
            b'"updated_at":"2024-01-03T00:00:00Z","news":[1]}'
        ).records
        == 0
    )
