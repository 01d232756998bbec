"""Offsets by event time, as watermarks need them."""

from hypothesis import given
from hypothesis import strategies as st

from services.live_stream.broker.outlet import TopicLog


def test_an_empty_topic_has_later_records_at_its_end() -> None:
    assert TopicLog("t", 7).offset_from(5) == 7


def test_what_was_counted_is_told() -> None:
    log = TopicLog("t", 7)
    log.add(30)
    log.add(20)

    assert (log.end, log.records, log.last_event_us) == (9, 2, 30)


@given(
    st.integers(0, 100),
    st.lists(st.one_of(st.none(), st.integers(0, 1000), st.just("ask")), max_size=60),
    st.lists(st.integers(0, 1000), min_size=60, max_size=60),
)
def test_no_record_of_a_time_or_later_stands_before_its_offset(
    start: int, steps: list[int | str | None], asked: list[int]
) -> None:
    log, ascending = TopicLog("t", start), iter(sorted(asked))
    times: list[int] = []
    for step in steps:
        if step is None:
            assert log.end_span() == start + len(times)
        elif isinstance(step, int):
            log.add(step)
            times.append(step)
        else:
            us = next(ascending)
            later = [start + place for place, time in enumerate(times) if time >= us]
            assert log.offset_from(us) <= min(later, default=log.end)
