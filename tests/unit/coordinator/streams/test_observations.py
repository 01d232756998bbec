"""What a stream is seen to be, from what is wanted, what the live service says, and the watermarks."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.remote import ServiceView
from coordinator.streams.models import StreamSubmission
from coordinator.streams.observations import Observations
from coordinator.streams.states import Observed, Wanted
from coordinator.streams.store import Stream
from coordinator.streams.views import view
from stoculus.streams import StreamState, StreamStatus, TopicStatus, Watermark

TOPIC = "stock-aapl-trade-live"
REQUEST = {"stream_id": "tape", "data": [{"asset": "stock", "symbols": ["AAPL", "MSFT"], "schema": "trade"}]}
STREAM = Stream("tape", datetime(2024, 1, 10, tzinfo=UTC), StreamSubmission.model_validate(REQUEST))
STOPPED = replace(STREAM, wanted=Wanted.STOP)
WATERMARK = Watermark(
    topic=TOPIC,
    complete_from_us=1_704_207_600_000_000,
    complete_until_us=1_704_207_600_000_001,
    offset=1,
    wanted=True,
    written_us=1,
)


def held(state: StreamState, *topics: TopicStatus, reason: str | None = None) -> Observations:
    status = StreamStatus(stream_id="tape", state=state, reason=reason, topics=list(topics))
    return Observations(ServiceView({"tape": status}, trouble=None))


def absent() -> Observations:
    return Observations(ServiceView(trouble=None))


@pytest.mark.parametrize("state", ["starting", "running", "closed", "waiting"])
def test_a_stream_is_what_the_service_says(state: StreamState) -> None:
    assert held(state, reason="So.").state(STREAM) == (Observed(state), "So.")  # type: ignore[call-arg]


def test_a_stream_that_the_service_has_not_got_is_starting_or_says_what_holds_it_up() -> None:
    observations = absent()
    assert observations.state(STREAM) == (Observed.STARTING, None)
    assert held("stopping").state(STREAM) == (Observed.STARTING, None)

    observations.held_up["tape"] = "The broker is away."
    assert observations.state(STREAM) == (Observed.WAITING, "The broker is away.")
    observations.failed["tape"] = "Never."
    assert observations.state(STREAM) == (Observed.FAILED, "Never.")
    observations.forget("tape")
    assert observations.state(STREAM) == (Observed.STARTING, None)


def test_a_stream_waits_for_a_service_that_is_away() -> None:
    observations = held("running")
    observations.service.trouble = "It is away."

    assert observations.state(STREAM) == (Observed.WAITING, "It is away.")
    assert observations.state(STOPPED) == (Observed.STOPPING, "It is away.")


@given(
    st.sampled_from([STREAM, STOPPED]),
    st.sampled_from([None, "starting", "running", "closed", "waiting", "stopping"]),
    st.sampled_from([None, "It is away."]),
    st.booleans(),
)
def test_what_is_to_stop_is_stopping_and_nothing_else_is(
    stream: Stream, state: StreamState | None, trouble: str | None, failed: bool
) -> None:
    observations = held(state) if state else absent()
    observations.service.trouble = trouble
    observations.failed |= {"tape": "Never."} if failed else {}

    observed, _ = observations.state(stream)

    assert (observed is Observed.STOPPING) == (stream.wanted is Wanted.STOP)
    assert observed.is_terminal == (failed and stream.wanted is Wanted.RUN)


def test_times_are_told_by_the_service_else_by_the_watermark() -> None:
    told = TopicStatus(topic=TOPIC, subscriptions=1, complete_until_us=1_704_211_200_000_000, last_event_us=1)
    observations = held("running", told)
    observations.apply([(TOPIC, WATERMARK.model_dump_json().encode())])

    here = view(STREAM, observations).topics[0]
    observations.service.trouble = "It is away."
    away = view(STREAM, observations)

    assert (here.complete_from, here.complete_until, here.last_event, here.gaps) == (
        datetime(2024, 1, 2, 15, tzinfo=UTC),
        datetime(2024, 1, 2, 16, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        0,
    )
    assert '"complete_until":"2024-01-02T16:00:00Z"' in here.model_dump_json()
    assert (away.topics[0].complete_until, away.topics[0].gaps) == (datetime(2024, 1, 2, 15, 0, 0, 1, tzinfo=UTC), None)
    assert [topic.topic for topic in away.topics] == [TOPIC, "stock-msft-trade-live"]
    assert away.topics[1].complete_from is None
    assert away.request["data"][0]["symbols"] == ["AAPL", "MSFT"]


def test_a_watermark_that_is_none_is_passed_over_and_a_tombstone_forgets_it() -> None:
    observations = absent()
    good = WATERMARK.model_dump_json().encode()

    observations.apply([(TOPIC, good), ("other", b"{")])
    assert observations.watermarks == {TOPIC: WATERMARK}
    for bad in (b"{", None):
        observations.apply([(TOPIC, good), (TOPIC, bad)])
        assert observations.watermarks == {}


def test_each_state_of_the_service_is_one_of_ours() -> None:
    assert {state for state, _ in (held(s).state(w) for s, w in product(_STATES, (STREAM, STOPPED)))} <= set(Observed)


_STATES: tuple[StreamState, ...] = ("starting", "running", "closed", "waiting", "stopping")
