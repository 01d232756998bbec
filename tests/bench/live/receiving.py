"""What receiving costs, which is the same for every way: the WebSocket, and the queue between two threads."""

import threading
import time
from typing import Final

from services.live_stream.topic import LiveTopic
from stoculus.instruments import Stock
from tests.bench.live.cpu import RATE, TURN_S
from tests.bench.live.market import FEEDS, speed_for
from tests.bench.live.session import until, vendor
from tests.bench.stack import Bench
from theta_client.stream.buffer import Frames
from theta_client.stream.session import StreamSession
from theta_client.stream.subscription import Subscription

_WARM_S: Final = 2
_MEASURED_S: Final = 5
_MOST: Final = 10_000


def receiving_us(bench: Bench) -> float:
    """Microseconds of CPU time a quote or trade of the thread that receives, at RATE."""
    with vendor(bench, speed_for(RATE, _WARM_S)) as played:
        url = str(played.get("/__stream").raise_for_status().json()["url"])
        with StreamSession(url) as session:
            session.want([Subscription(feed.ticks, Stock(feed.symbol)) for feed in map(LiveTopic.of, FEEDS)])
            until(lambda: _ticks_taken(session, 0.05) > 0, "ticks come")
            _ticks_taken(session, _WARM_S)
            [thread] = [one for one in threading.enumerate() if one.name == "theta-stream"]
            assert thread.ident is not None
            clock = time.pthread_getcpuclockid(thread.ident)
            cpu_s = time.clock_gettime(clock)
            ticks = _ticks_taken(session, _MEASURED_S)
            return (time.clock_gettime(clock) - cpu_s) * 1e6 / ticks


def _ticks_taken(session: StreamSession, seconds: float) -> int:
    """Quotes and trades that come in a time. They are taken as often as the service does."""
    ticks, until_s = 0, time.monotonic() + seconds
    while time.monotonic() < until_s:
        time.sleep(TURN_S)
        for item in session.take(_MOST, 0):
            if isinstance(item, Frames):
                ticks += sum(b'"type":"OHLC"' not in frame for frame in item.frames)
    return ticks
