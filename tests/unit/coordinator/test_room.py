"""The broker's room: each topic is counted once, whoever needs it."""

import pytest

from coordinator.room import Room
from stoculus.errors import InvalidRequest


def test_topics_that_exist_or_are_promised_are_counted_once() -> None:
    room = Room(10)
    room.count(lambda: ["a", "b"])
    room.count(lambda: ["b", "c"])

    assert room.check(["a", "c", "d"], {"a": 3, "__consumer_offsets": 4}) == 9
    with pytest.raises(InvalidRequest, match="2 new topics do not fit: 9 of 10"):
        room.check(["d", "e"], {"a": 3, "__consumer_offsets": 4})
