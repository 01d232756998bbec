"""The live service at work: latency at a steady rate, a burst, the highest rate."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from stoculus.streams import StockFeed
from tests.bench.live.cpu import RATE
from tests.bench.live.market import speed_for
from tests.bench.live.session import Session, playing, until
from tests.bench.stack import Bench

BURST: Final = 20
BURST_S: Final = 2
STEPS: Final = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0)
"""Speeds that are tried, in multiples of the day's. The market calms down meanwhile: it takes more than twice the speed
to have twice the rate."""
_NEAR_S: Final = 0.25
"""Records of so long may be on their way where nothing lags."""
_LAG_S: Final = 0.5
_HEAL_S: Final = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds of warm-up, of what is measured, and of each of the STEPS."""

    warm_s: float
    measured_s: float
    step_s: float


FULL: Final = Plan(30, 60, 10)
QUICK: Final = Plan(8, 12, 6)


@dataclass(frozen=True, slots=True)
class Steady:
    """A run at RATE: milliseconds from received to readable, microseconds of CPU time a quote or trade."""

    rate: float
    p50_ms: float
    p99_ms: float
    dropped: int
    cpu_us: float
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Stress:
    """`burst_rate` is what the vendor sent then; `highest_rate` the last of the STEPS that lasted."""

    burst_rate: float
    burst_dropped: int
    caught_up_s: float
    highest_rate: float


Then = Callable[[Bench, Plan, Session], Stress]
"""What is done to a session after it was measured."""


def run(
    bench: Bench,
    feeds: Sequence[StockFeed],
    plan: Plan,
    then: Then | None = None,
) -> tuple[Steady, Stress | None]:
    """A day's begin at RATE, and what comes `then`. Raise RuntimeError where a tick is lost or there twice."""
    with playing(bench, feeds, speed_for(RATE, plan.warm_s + plan.measured_s / 2)) as session:
        time.sleep(plan.warm_s)
        from_us, started_s, sent, cpu_s = _now_us(), time.monotonic(), session.sent, session.cpu_s()
        time.sleep(plan.measured_s)
        ticks, cpu_s, passed_s = session.sent - sent, session.cpu_s() - cpu_s, time.monotonic() - started_s
        until_us, rss_mib, dropped = _now_us(), session.service.memory_info().rss / 2**20, session.dropped
        stressed = then(bench, plan, session) if then else None
        session.hush()
        until(lambda: session.behind <= 0, "all can be read", _HEAL_S)
        if session.behind:
            raise RuntimeError(f"{-session.behind} records are there twice")
        latency_ms = session.reader.stop().latency_ms(from_us, until_us)
    p50_ms, p99_ms = np.percentile(latency_ms, (50, 99)).tolist()
    return Steady(ticks / passed_s, p50_ms, p99_ms, dropped, cpu_s * 1e6 / ticks, rss_mib), stressed


def stress(bench: Bench, plan: Plan, session: Session) -> Stress:
    """The burst, then higher and higher rates until the service lags or drops."""
    dropped, sent = session.dropped, session.sent
    session.burst(BURST, BURST_S)
    time.sleep(BURST_S)
    burst_rate = (session.sent - sent) / BURST_S
    caught_up_s = _caught_up(session)
    dropped = session.dropped - dropped
    highest_rate = float(RATE)
    for factor in STEPS:
        rate = _sustained(session, factor, plan.step_s)
        bench.say(f"  {factor:g} times as fast: {'it lags or drops' if rate is None else f'{rate:,.0f}/s'}")
        if rate is None:
            break
        highest_rate = rate
    return Stress(burst_rate, dropped, caught_up_s, highest_rate)


def _sustained(session: Session, factor: float, seconds: float) -> float | None:
    """The rate at which records became readable, if that kept pace with the vendor; else None."""
    dropped = session.dropped
    session.burst(factor, seconds + 1)
    time.sleep(1)
    started_s, read = time.monotonic(), session.reader.records
    time.sleep(seconds - 1)
    rate, behind = (session.reader.records - read) / (time.monotonic() - started_s), session.behind
    _caught_up(session)
    return None if behind > rate * _LAG_S or session.dropped > dropped else rate


def _caught_up(session: Session) -> float:
    return until(lambda: session.behind < RATE * _NEAR_S, "caught up", _HEAL_S)


def _now_us() -> int:
    return time.time_ns() // 1000
