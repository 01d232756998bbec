from datetime import UTC, date, datetime, timedelta

import pytest
from matplotlib.patches import Rectangle

from stoculus.plot import coverage
from stoculus.plot.canvas import compose
from stoculus.plot.numbers import COLUMNS, Counted, TopicNumbers
from tests.unit.stoculus.plot.made import MINUTE_US, MONDAY, axis, opens_us, records

DAYS = [MONDAY + timedelta(days=n) for n in range(5)]


def topic(counts: list[int], empty: dict[date, str] | None = None, remark: str = "") -> TopicNumbers:
    days = {day: count for day, count in zip(DAYS, counts, strict=True) if count}
    when = datetime(2024, 1, 8, 14, 30, tzinfo=UTC)
    counted = Counted(sum(counts), when, when, days)
    return TopicNumbers(
        "stock-aapl-quote-historical-42", "AAPL", "quote", "failed", counted, 1, 2, 0.5, None, empty or {}, remark
    )


def test_records_are_counted_by_day() -> None:
    counted = Counted()
    for times in ([opens_us(), opens_us() + MINUTE_US], [opens_us(DAYS[1])]):
        counted.add(records("StockQuote", times), axis())

    assert (counted.records, counted.days) == (3, {DAYS[0]: 2, DAYS[1]: 1})
    assert counted.last == datetime(2024, 1, 9, 14, 30, tzinfo=UTC)


def test_each_day_is_a_cell_with_its_count_or_why_there_is_none() -> None:
    holes = {DAYS[1]: "the vendor has no rows for the day", DAYS[3]: coverage.NOT_YET, DAYS[4]: coverage.MISSING}
    (axes,) = compose([coverage.coverage_panel(axis(), [topic([390, 0, 12_345, 0, 0], holes)])]).axes

    cells = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [cell.get_hatch() for cell in cells] == [None, None, None, None, "////"]
    assert len({cell.get_facecolor() for cell in cells}) == 5
    texts = [text.get_text() for text in axes.texts]
    assert {"390", "12.3k", "12,735"} <= set(texts)


def test_notes_say_why() -> None:
    told = topic([1, 0, 1, 1, 0], {DAYS[1]: "no rows", DAYS[4]: coverage.MISSING}, "3 bad rows.")

    assert coverage.notes([told]) == ["AAPL quote: 3 bad rows.", "AAPL quote on 2024-01-09: no rows"]


def test_a_picture_has_room_for_a_few_notes() -> None:
    assert coverage.shortened(["a"] * 6) == ["a"] * 6
    assert coverage.shortened(["a"] * 9) == ["a"] * 5 + ["… and 4 more"]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (9_999, "9,999"),
        (12_345, "12.3k"),
        (999_999, "1000k"),
        (1_234_567, "1.2M"),
        (123_456_789, "123M"),
        (2 * 10**9, "2.0G"),
    ],
)
def test_large_counts_are_short(count: int, text: str) -> None:
    assert coverage._short(count) == text


def test_a_row_of_the_table_has_all_columns() -> None:
    row = topic([1, 0, 0, 0, 0], remark="3 bad rows.").as_texts()

    assert len(row) == len(COLUMNS)
    assert row[4] == "2024-01-08 09:30:00"
    assert row[-1] == "3 bad rows."
