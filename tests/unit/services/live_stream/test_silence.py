from services.live_stream.silence import Silence


def judged(*messages_a_second: int, longest_s: float = 20) -> float | None:
    silence = Silence(longest_s, 0.0)
    for second, messages in enumerate(messages_a_second, 1):
        silence.saw(messages, float(second))
    return silence.within_s


def test_a_tape_that_has_not_been_heard_may_be_silent() -> None:
    assert judged() is None


def test_a_busy_tape_is_dead_when_it_is_silent_for_some_seconds() -> None:
    assert judged(*[1000] * 20) == 2.5


def test_a_quiet_tape_has_longer() -> None:
    within_s = judged(*[10] * 60)
    assert within_s is not None
    assert 9 < within_s < 12


def test_a_tape_of_a_message_now_and_then_is_never_judged() -> None:
    assert judged(*[1, 0, 0, 0, 0] * 12) is None


def test_a_tape_that_has_fallen_silent_is_judged_less_and_less() -> None:
    assert judged(*[1000] * 20, *[0] * 120) is None
