"""The report has the shape that other programs read."""

import json

from tests.bench.reading import measure as reading
from tests.bench.report import Comparison, Figure, to_json
from tests.bench.rounds import comparisons

MACHINE: dict[str, str | int | float] = {"cpu": "one", "cores": 2}
C_LOOP = {
    name: [2.0]
    for name in (
        "c",
        "python",
        "naive",
        "read-c",
        "read-python",
        "read-naive",
        "in-turn",
        "merged",
        "records-in-turn",
        "events",
        "read-rss-1m",
        "read-rss-10m",
        "kafka",
        "whole-way",
        "naive-whole-way",
        "option-whole-way",
        "chain-from-simulator",
    )
}


def test_the_report_has_machine_and_results() -> None:
    compared = Comparison("pipeline_vs_naive", "records/s", [900_000.0, 1_000_000.4], [100_000.0, 100_000.0], 10.0)
    report = json.loads(to_json(MACHINE, [compared], [Figure("first_record", "s", [0.5], limit=2.0)]))
    assert report["machine"] == MACHINE
    (result,) = report["results"]
    assert {name: result[name] for name in ("name", "ratio", "target", "ours", "other")} == {
        "name": "pipeline_vs_naive",
        "ratio": 9.5,
        "target": 10.0,
        "ours": 950_000,
        "other": 100_000,
    }
    assert report["reported"] == [{"name": "first_record", "value": 0.5, "limit": 2.0, "unit": "s"}]


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    assert Comparison("a", "", [10, 80, 30], [1, 10, 2]).ratio == 10


def test_the_promised_rows_are_there_with_their_targets() -> None:
    targets = {
        each.name: each.target
        for each in comparisons({**C_LOOP, "rss-1m": [1.0], "rss-10m": [1.0], "rss-10-days": [1.0]})
    }
    promised = {
        "pipeline_vs_naive": 10,
        "pipeline_vs_naive_python_loop": 5,
        "pipeline_vs_producer_performance": 1.2,
        "pipeline_vs_producer_performance_python_loop": 0.6,
        "whole_way_vs_naive": 5,
        "rss_10m_vs_1m": 1.1,
        "option_whole_way_vs_stock_whole_way": 0.6,
        "option_whole_way_vs_simulator_alone": None,
    }
    assert promised.items() <= targets.items()


def test_the_promised_rows_of_reading_are_there_with_their_targets() -> None:
    assert {each.name: each.target for each in reading.comparisons(C_LOOP)} == {
        "topic_to_arrow_vs_naive": 15,
        "topic_to_arrow_vs_naive_python_loop": 7,
        "merge_of_ten_vs_in_turn": 0.5,
        "merged_events_vs_records_in_turn": 0.5,
        "rss_of_reading_10m_vs_1m": 1.1,
    }


def test_without_the_c_loop_the_plain_rows_have_the_lower_targets() -> None:
    values = {name: each for name, each in C_LOOP.items() if name not in {"c", "read-c"}}
    targets = {each.name: each.target for each in comparisons(values)}
    assert (targets["pipeline_vs_naive"], targets["pipeline_vs_producer_performance"]) == (5, 0.6)
    assert {each.name: each.target for each in reading.comparisons(values)}["topic_to_arrow_vs_naive"] == 7
    assert "rss_10m_vs_1m" not in targets
    assert "pipeline_vs_naive_python_loop" not in targets


def test_memory_is_met_below_its_target_and_speed_above() -> None:
    assert Comparison("rss", "MiB", [105], [100], 1.1, at_most=True).is_met
    assert not Comparison("speed", "records/s", [105], [100], 1.1).is_met
    assert Comparison("reported", "records/s", [105], [100]).is_met is None
