"""Kills at random moments of a running backtest."""

import random
import time
from collections.abc import Sequence

from tests.chaos.truth import Selection, require_no_open_transaction, verify
from tests.chaos.world import World


def survive_kills(
    world: World, selection: Selection, name: str, victims: Sequence[tuple[str, ...]], rng: random.Random
) -> None:
    """Kill the victims one after the other while the backtest runs, bring them back, compare what is written.

    Every fifth kill waits until the backtest has got on since the last one: a program that dies too often stands
    still. Where the backtest is over too soon, the next kill strikes another one of the same selection.
    """
    ids: list[str] = []
    records = 0
    for number, victim in enumerate(victims):
        if not ids or world.show(ids[-1])["state"] == "completed":
            ids.append(f"{name}-{number}")
            world.submit(selection.body(ids[-1]))
            records = 0
        if number % 5 == 4:
            world.wait_for_records(ids[-1], more_than=records)
        time.sleep(rng.uniform(0, 3))
        records = world.show(ids[-1])["records"]
        print(f"{' '.join(victim)} dies at {records} records of {ids[-1]}")  # noqa: T201
        world.kill(*victim)
        world.up()
    world.heal()
    for backtest_id in ids:
        world.wait_for(backtest_id, "completed")
        verify(world, backtest_id, selection)
    require_no_open_transaction(world, "stoculus.checkpoints", selection.topic(selection.symbols[0], ids[-1]))
