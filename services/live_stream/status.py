"""What the service says of its streams."""

from services.live_stream.channels.channel import Channel
from services.live_stream.tape import Tape
from stoculus.streams import StreamSpec, StreamState, StreamStatus, TopicStatus


def status_of(spec: StreamSpec, tape: Tape | None, trouble: str | None, *, is_stopping: bool) -> StreamStatus:
    """A stream's state now. `tape` is None while this instance may not write, and `trouble` says why."""
    if is_stopping:
        return StreamStatus(stream_id=spec.stream_id, state="stopping")
    if tape is None:
        return StreamStatus(stream_id=spec.stream_id, state="waiting", reason=trouble)
    now_us = tape.now_us
    channels = [(topic, tape.channels.get(topic)) for topic in spec.topics]
    topics = [_topic(topic, channel, tape, now_us) for topic, channel in channels]
    reason = tape.wish.troubles.get(spec.stream_id) or tape.trouble
    state = _state([channel for _, channel in channels], has_trouble=reason is not None)
    return StreamStatus(stream_id=spec.stream_id, state=state, reason=reason, tape_us=now_us, topics=topics)


def _state(channels: list[Channel | None], *, has_trouble: bool) -> StreamState:
    known = [channel for channel in channels if channel is not None]
    if has_trouble:
        return "waiting"
    if len(known) < len(channels) or any(channel.complete_us is None for channel in known if channel.is_open):
        return "starting"
    return "running" if any(channel.is_open for channel in known) else "closed"


def _topic(topic: str, channel: Channel | None, tape: Tape, now_us: int | None) -> TopicStatus:
    if channel is None:
        return TopicStatus(topic=topic, subscriptions=0)
    want, gap = tape.wish.wants.get(topic), channel.gap  # the tape's thread replaces them
    subscriptions = want.subscriptions.values() if want is not None else ()
    complete_us = channel.complete_us
    return TopicStatus(
        topic=topic,
        subscriptions=sum(one in tape.confirmed for one in list(subscriptions)),
        refused=len(channel.refused),
        records=channel.log.records,
        last_event_us=channel.log.last_event_us,
        complete_from_us=channel.complete_from_us,
        complete_until_us=complete_us,
        lag_ms=None if now_us is None or complete_us is None else max(0, (now_us - complete_us) // 1000),
        gaps=int(gap is not None and gap.begun_us is not None),
        late=channel.late,
        reason=channel.reason,
    )
