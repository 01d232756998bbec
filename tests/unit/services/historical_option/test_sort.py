"""The market's order, in memory and on disk."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.historical_option.sort import ChainSorter, rows_of_a_block
from stoculus.errors import VendorSilent

SCHEMA = pa.schema([pa.field(name, pa.int64()) for name in ("ts_event", "contract", "line", "value")])


@pytest.fixture(scope="module")
def sorter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainSorter]:
    made = ChainSorter(256, tmp_path_factory.mktemp("spill"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def without_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChainSorter]:
    """Holds nothing itself: all rows go to DuckDB."""
    made = ChainSorter(0, tmp_path_factory.mktemp("spill"))
    yield made
    made.close()


def batch(rows: list[tuple[int, int, int]]) -> pa.RecordBatch:
    """Rows of event time, contract and line, with a value that tells them apart."""
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    values = [1_000_000 * at + 1_000 * contract + line for at, contract, line in rows]
    return pa.RecordBatch.from_arrays([pa.array(c, pa.int64()) for c in (*columns, values)], schema=SCHEMA)


def many(rows: int) -> Iterator[pa.RecordBatch]:
    """A chain as the vendor sends it: all rows of a contract together, the contracts in no order."""
    minutes = 391
    for contract in np.random.default_rng(7).permutation(rows // minutes):
        at = np.arange(minutes)
        columns = [at, np.full(minutes, contract), at + 2, *(at * contract + n for n in range(12))]
        yield pa.RecordBatch.from_arrays([pa.array(c) for c in columns], schema=WIDE)


WIDE = pa.schema([*SCHEMA, *(pa.field(f"value{n}", pa.int64()) for n in range(11))])


@given(st.lists(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=30), max_size=5), st.sampled_from([0, 1]))
@settings(max_examples=40)
def test_rows_come_by_time_then_contract_then_line(blocks: list[list[tuple[int, int, int]]], way: int) -> None:
    sorter = SHARED[way]
    found = [row for out in sorter.sorted(SCHEMA, map(batch, blocks)) for row in out.to_pylist()]

    expected = sorted(row for block in blocks for row in block)
    assert [(row["ts_event"], row["contract"]) for row in found] == [row[:2] for row in expected]
    assert [row["value"] for row in found] == [1_000_000 * a + 1_000 * b + c for a, b, c in expected]


SHARED: list[ChainSorter] = []


@pytest.fixture(autouse=True, scope="module")
def _shared(sorter: ChainSorter, without_memory: ChainSorter) -> None:
    SHARED.extend([sorter, without_memory])


def test_both_ways_give_the_same_bytes(sorter: ChainSorter, without_memory: ChainSorter) -> None:
    in_memory, by_duckdb = (pa.Table.from_batches(one.sorted(WIDE, many(120_000))) for one in (sorter, without_memory))

    assert in_memory.combine_chunks().equals(by_duckdb.combine_chunks())


def test_batches_have_so_many_rows_at_the_most_and_no_line(sorter: ChainSorter) -> None:
    batches = list(sorter.sorted(WIDE, many(120_000)))

    assert max(out.num_rows for out in batches) == rows_of_a_block(WIDE)
    assert batches[0].schema.names == [name for name in WIDE.names if name != "line"]


def test_what_outgrows_the_memory_goes_to_disk_and_comes_back_in_order(tmp_path: Path) -> None:
    small, rows = ChainSorter(1, tmp_path), 1_200_000
    last, count, total = (-1, -1), 0, 0
    for out in small.sorted(WIDE, many(rows)):
        at, contract = out["ts_event"].to_numpy(), out["contract"].to_numpy()
        rank = at * rows + contract
        assert (np.diff(rank) > 0).all()
        assert (at[0], contract[0]) > last
        last, count, total = (at[-1], contract[-1]), count + out.num_rows, total + int(out["value10"].to_numpy().sum())

    assert count == rows // 391 * 391
    assert total == sum(int(block["value10"].to_numpy().sum()) for block in many(rows))
    assert small.spilled_bytes_peak > 0
    small.close()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_rows_comes_out_as_it_is(sorter: ChainSorter) -> None:
    def broken() -> Iterator[pa.RecordBatch]:
        yield batch([(1, 1, 1)])
        raise VendorSilent("nothing came")

    with pytest.raises(VendorSilent, match="nothing came"):
        list(sorter.sorted(SCHEMA, broken()))
    assert [out.num_rows for out in sorter.sorted(SCHEMA, iter([batch([(1, 1, 1)])]))] == [1]


@pytest.mark.parametrize("memory_mb", [0, 40, 256])
def test_several_chunks_are_sorted_at_once(memory_mb: int, tmp_path: Path) -> None:
    sorter = ChainSorter(memory_mb, tmp_path)
    counts: list[int] = []
    start = threading.Barrier(4)

    def run() -> None:
        start.wait()
        counts.append(sum(out.num_rows for out in sorter.sorted(WIDE, many(150_000))))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [150_000 // 391 * 391] * 4
    sorter.close()


@pytest.mark.parametrize("memory_mb", [0, 30])
def test_whoever_stops_in_the_middle_leaves_room_for_others(memory_mb: int, tmp_path: Path) -> None:
    sorter = ChainSorter(memory_mb, tmp_path)
    for _ in range(6):
        rows = sorter.sorted(WIDE, many(120_000))
        assert next(rows).num_rows == rows_of_a_block(WIDE)
        rows.close()  # type: ignore[attr-defined]
    sorter.close()


def test_files_of_dead_processes_are_removed_and_those_of_others_stay(tmp_path: Path) -> None:
    dead, living = tmp_path / "999999999", tmp_path / str(os.getppid())
    for folder in (dead, living):
        folder.mkdir()
        (folder / "duckdb_temp").write_bytes(b"x")
    ChainSorter(1, tmp_path).close()

    assert [folder.name for folder in tmp_path.iterdir()] == [living.name]
