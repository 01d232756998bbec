import io

from rich.console import Console

from stoculus.cli.export import _bar
from stoculus.export.backtest import Step


def test_on_a_terminal_one_bar_tells_the_topic_and_how_far_all_are() -> None:
    screen = io.StringIO()

    with _bar(Console(file=screen, force_terminal=True, width=200)) as show:
        show(Step("stock-aapl-quote-historical-42", 1_234, 5_000))
        show(Step("stock-msft-quote-historical-42", 6_000, 5_000))

    shown = screen.getvalue()
    assert "stock-msft-quote-historical-42" in shown
    assert "6,000 / 6,000 records" in shown
