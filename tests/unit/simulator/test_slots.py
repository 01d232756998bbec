import asyncio

import pytest

from simulator.refusal import Refusal
from simulator.slots import Slots


async def hold(slots: Slots, until: asyncio.Event) -> None:
    async with slots.taken():
        await until.wait()


def test_so_many_run_so_many_wait_and_the_next_is_refused() -> None:
    async def scenario() -> None:
        slots, done = Slots(cap=2, queue_length=3), asyncio.Event()
        work = [asyncio.create_task(hold(slots, done)) for _ in range(5)]
        await asyncio.sleep(0)
        assert slots.under_way == 5

        with pytest.raises(Refusal, match="429"):
            await hold(slots, done)

        done.set()
        await asyncio.gather(*work)
        await hold(slots, done)
        assert (slots.under_way, slots.peak_under_way) == (0, 5)

    asyncio.run(scenario())
