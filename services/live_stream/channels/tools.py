"""What all channels share."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from services.live_stream.broker.outlet import Outlet
from services.live_stream.clock import TapeClock
from services.live_stream.healing.finding import TickHistory
from stoculus.connections import Kafka
from stoculus.records.catalog import RecordType
from stoculus.streams import StreamEvent


@dataclass(frozen=True, slots=True)
class Tools:
    """What all channels share. `wall_us` is the wall clock; `grace_us` is how late events may come."""

    outlet: Outlet
    clock: TapeClock
    header_of: Callable[[RecordType], bytes]
    wall_us: Callable[[], int]
    grace_us: int
    history: TickHistory
    kafka: Kafka
    threads: Executor
    tell: Callable[[StreamEvent], None]
