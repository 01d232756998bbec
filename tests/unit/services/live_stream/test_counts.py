"""What the live service counts."""

import pytest
from prometheus_client import CollectorRegistry

from services.live_stream.counts import MOST_STREAMS, Counts, StreamCounts
from stoculus.streams import EventKind, StreamEvent, StreamStatus, TopicStatus


def event(kind: EventKind, *, is_open: bool = False, until_us: int | None = 4_500_000) -> StreamEvent:
    return StreamEvent(kind=kind, topic="t", from_us=1_000_000, until_us=until_us, open=is_open, at_us=0)


@pytest.mark.parametrize(
    ("told", "healed", "unhealed"),
    [
        (event("healed"), 3.5, 0),
        (event("gap"), 0, 3.5),
        (event("gap", is_open=True), 0, 0),
        (event("gap", until_us=None), 0, 0),
        (event("seam"), 0, 0),
    ],
)
def test_a_gap_counts_once_when_it_is_over(told: StreamEvent, healed: float, unhealed: float) -> None:
    registry = CollectorRegistry()
    Counts(registry).tell(told)

    assert registry.get_sample_value("stoculus_live_gap_seconds_total", {"healed": "true"}) == healed
    assert registry.get_sample_value("stoculus_live_gap_seconds_total", {"healed": "false"}) == unhealed


def silent(stream_id: str, *last_us: int | None, tape_us: int | None = 10_000_000) -> StreamStatus:
    topics = [TopicStatus(topic=f"{stream_id}-{n}", subscriptions=1, last_event_us=us) for n, us in enumerate(last_us)]
    return StreamStatus(stream_id=stream_id, state="running", tape_us=tape_us, topics=topics)


def silences(*statuses: StreamStatus) -> dict[str, float]:
    [family] = StreamCounts(lambda: list(statuses)).collect()
    return {one.labels["stream"]: one.value for one in family.samples}


def test_a_stream_is_as_silent_as_its_liveliest_topic() -> None:
    assert silences(silent("a", 7_000_000, 9_500_000, None)) == {"a": 500}


def test_a_stream_that_has_heard_nothing_has_no_silence_to_tell() -> None:
    assert silences(silent("new", None), silent("away", 1, tape_us=None)) == {}


def test_so_many_streams_are_told_of_and_no_more() -> None:
    assert len(silences(*(silent(str(n), 1) for n in range(MOST_STREAMS + 5)))) == MOST_STREAMS
