"""A figure as it is drawn: what is written does not run into each other."""

from datetime import date
from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from stoculus.plot.axis import MarketAxis
from stoculus.plot.canvas import apart, compose, group
from stoculus.plot.chains import ChainSeries
from stoculus.plot.coverage import MISSING, coverage_panel
from stoculus.plot.page import page, svg, table
from stoculus.plot.stocks import StockSeries
from stoculus.records.catalog import parse_schema
from tests.unit.stoculus.plot.made import FRIDAY, MINUTE_US, MONDAY, axis, chain, opens_us, records
from tests.unit.stoculus.plot.test_coverage import DAYS, topic


def figure(on: MarketAxis) -> Figure:
    """A stock, a chain and the coverage."""
    stock = StockSeries(parse_schema("quote"), on)
    times = [opens_us() + n * MINUTE_US for n in range(390)]
    stock.add(
        records("StockQuote", times, bid=[100 + n / 50 for n in range(390)], ask=[100.1 + n / 50 for n in range(390)])
    )
    options = ChainSeries(parse_schema("quote1m", asset="option"), on)
    options.add(chain(times, [4600.0 + 10 * n for n in range(21)], 4700.0))
    panels = [
        *group(stock.panels(), "AAPL quote", "stock-aapl-quote-historical-42   390 records"),
        *group(options.panels(), "SPXW quote1m", "option-spxw-quote1m-historical-42   16,380 records"),
        coverage_panel(on, [topic([390, 12_345, 7, 0, 1], {DAYS[3]: MISSING})]),
    ]
    return compose(panels, "Backtest 42, completed", "2024-01-08 to 2024-01-12", ["a note", "and another"])


@pytest.mark.parametrize("end", [MONDAY, FRIDAY])
def test_what_is_written_does_not_overlap(end: date) -> None:
    drawn = figure(axis(MONDAY, end))
    drawn.draw_without_rendering()

    boxes = [(text.get_text(), _box(text)) for text in drawn.findobj(Text) if _is_seen(text)]

    assert len(boxes) > 40
    assert [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)] == []
    assert [text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > drawn.bbox.width] == []


def test_a_page_holds_its_pictures_and_escapes_what_is_written() -> None:
    covered = compose([coverage_panel(axis(), [topic([1, 2, 3, 4, 5])])])
    told = page("A <b>", "about", [("one", svg(covered, "one")), ("two", table((">n",), [("<1>",)]))])

    assert told.count("<svg") == 1
    assert "<script" not in told
    assert 'src="' not in told
    assert "<h1>A &lt;b&gt;</h1>" in told
    assert '<td class="number">&lt;1&gt;</td>' in told


def test_no_line_is_drawn_over_a_night() -> None:
    x, y = apart(axis(), np.array([0.0, 10.0, 6.5 * 3600 + 1]), np.array([1.0, 2.0, 3.0]))

    assert np.isnan(y).tolist() == [False, False, True, False]
    assert len(x) == 4


def _is_seen(text: Text) -> bool:
    return text.get_visible() and bool(text.get_text().strip()) and text.get_window_extent().width > 1


def _box(text: Text) -> Bbox:
    """The box of a text, a bit smaller: letters do not fill theirs."""
    box = text.get_window_extent()
    return Bbox.from_extents(box.x0 + 1, box.y0 + 1.5, box.x1 - 1, box.y1 - 1.5)
