import threading

from hypothesis import given
from hypothesis import strategies as st

from theta_client.stream.buffer import Buffer, Frames
from theta_client.stream.events import Connected, Dropped, Event, MarketState


def test_frames_are_joined_up_to_the_next_event() -> None:
    buffer = Buffer(10)
    buffer.put(Connected(1, 5))
    buffer.put_frames(1, 10, [b"a", b"b"])
    buffer.put_frames(1, 11, [b"c"])
    buffer.put(MarketState(1, 12, "STOP"))
    buffer.put_frames(1, 13, [b"d"])
    assert buffer.take(100, 0) == [
        Connected(1, 5),
        Frames(1, [10, 10, 11], [b"a", b"b", b"c"]),
        MarketState(1, 12, "STOP"),
        Frames(1, [13], [b"d"]),
    ]


def test_what_does_not_fit_is_told_where_it_is_missing() -> None:
    buffer = Buffer(2)
    buffer.put_frames(1, 10, [b"a", b"b", b"c"])
    buffer.put_frames(1, 20, [b"d"])
    assert buffer.take(100, 0) == [Frames(1, [10, 10], [b"a", b"b"]), Dropped(1, 10, 20, 2)]
    buffer.put_frames(1, 30, [b"e"])
    assert buffer.take(100, 0) == [Frames(1, [30], [b"e"])]


def test_frames_of_two_connections_stay_apart() -> None:
    buffer = Buffer(10)
    buffer.put_frames(1, 10, [b"a"])
    buffer.put_frames(2, 11, [b"b"])
    assert buffer.take(100, 0) == [Frames(1, [10], [b"a"]), Frames(2, [11], [b"b"])]


def test_a_taker_is_woken_by_what_comes() -> None:
    buffer = Buffer(10)
    threading.Timer(0.05, buffer.put_frames, (1, 10, [b"a"])).start()
    assert buffer.take(10, 60) == [Frames(1, [10], [b"a"])]
    assert buffer.take(10, 0) == []


Step = int | str


@given(st.integers(1, 20), st.lists(st.integers(1, 9) | st.sampled_from(["take", "event"]), max_size=60))
def test_nothing_is_lost_untold(most_frames: int, steps: list[Step]) -> None:
    buffer = Buffer(most_frames)
    taken: list[Frames | Event] = []
    put: list[object] = []
    for at_us, step in enumerate([*steps, "take"]):
        if step == "take":
            taken += buffer.take(5, 0)
        elif step == "event":
            buffer.put(MarketState(1, at_us, "START"))
            put.append(at_us)
        else:
            frames = [b"%d.%d" % (at_us, n) for n in range(int(step))]
            buffer.put_frames(1, at_us, frames)
            put += frames
    while rest := buffer.take(5, 0):
        taken += rest
    place = 0
    for item in taken:
        match item:
            case Frames(_, received_us, frames):
                assert put[place : place + len(frames)] == frames
                assert [int(frame.split(b".")[0]) for frame in frames] == received_us
                place += len(frames)
            case Dropped(_, first_us, last_us, count):
                lost = [int(one.split(b".")[0]) for one in put[place : place + count] if isinstance(one, bytes)]
                assert (len(lost), lost[0], lost[-1]) == (count, first_us, last_us)
                place += count
            case MarketState(_, at_us, _):
                assert put[place] == at_us
                place += 1
    assert place == len(put)
