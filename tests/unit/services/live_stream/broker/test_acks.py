"""Whether a topic is the one of which something is known."""

import pytest

from services.live_stream.broker.acks import Described
from stoculus.streams import Watermark


@pytest.mark.parametrize(
    ("topic_id", "end", "is_still"),
    [("a", 7, True), ("a", 8, True), ("a", 6, False), ("b", 8, False), (None, 8, True), (None, 6, False)],
)
@pytest.mark.parametrize("is_told", [True, False], ids=["the mark has an id", "it is of an older release"])
def test_a_topic_made_again_is_not_the_marks(topic_id: str | None, end: int, is_still: bool, is_told: bool) -> None:
    times = {"complete_from_us": 0, "complete_until_us": 1, "written_us": 1}
    mark = Watermark(topic="t", topic_id="a" if is_told else None, offset=7, wanted=True, **times)

    expected = is_still or (not is_told and end >= 7)
    assert Described(end, topic_id, may_be_written=True).is_still_of(mark) == expected
