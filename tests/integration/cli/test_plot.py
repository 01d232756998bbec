"""A backtest on a real broker as pictures."""

import json
import struct
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Broker, Registry
from tests.integration.written import Selection, Written
from tests.unit.stoculus.plot.made import MINUTE_US, chain, opens_us, records

Run = Callable[..., tuple[int, str, str]]
MONDAY, TUESDAY, WEDNESDAY = date(2024, 1, 8), date(2024, 1, 9), date(2024, 1, 10)


@pytest.fixture(scope="module")
def backtest(broker: Broker, registry: Registry) -> Written:
    """Quotes with an empty day, bars that failed after a day, and a chain; three days were asked for."""
    selections = [Selection("AAPL", "quote"), Selection("AAPL", "ohlcv1m"), Selection("SPXW", "quote1m", "option")]
    request = {"start": str(MONDAY), "end": str(WEDNESDAY), "session": "regular"}
    made = Written(broker.kafka, registry.connection, selections, request)
    quotes, bars, options = made.tasks
    for day in (MONDAY, WEDNESDAY):
        times = [opens_us(day) + n * MINUTE_US for n in range(100)]
        quotes.write(records("StockQuote", times, symbol="AAPL", bid=[180.0 + n for n in range(100)], ask=280.0))
        if day == MONDAY:
            quotes.write(records("StockQuote", []), TUESDAY)
            prices = dict.fromkeys(("open", "high", "low", "close"), 181.5)
            bars.write(records("StockOhlcv", times, symbol="AAPL", **prices))
        options.write(chain(times, [4600.0 + 10 * n for n in range(5)], 4620.0))
    quotes.complete()
    bars.fail("The vendor refused.")
    options.complete()
    return made.say("failed")


def test_a_picture_and_its_numbers(backtest: Written, stoculus: Run, tmp_path: Path) -> None:
    file = tmp_path / "backtest.png"

    code, out, err = stoculus("plot", backtest.backtest_id, "--to", str(file), "--json")

    assert (code, err) == (0, "")
    width, height = struct.unpack(">II", file.read_bytes()[16:24])
    assert width == 1560
    assert height > 2000
    told = json.loads(out)
    quotes, bars, options = told["topics"]
    assert (told["file"], told["state"]) == (str(file), "failed")
    assert quotes["days"] == {"2024-01-08": 100, "2024-01-10": 100}
    assert quotes["empty_days"] == {"2024-01-09": "the vendor has no rows for the day"}
    assert (quotes["lowest"], quotes["highest"]) == (180.0, 280.0)
    assert (bars["state"], bars["remark"]) == ("failed", "The vendor refused.")
    assert bars["empty_days"] == {"2024-01-09": "missing", "2024-01-10": "missing"}
    assert (options["records"], options["contracts"], options["lowest"]) == (2000, 10, pytest.approx(4620))


def test_a_day_whose_records_are_not_in_the_part_is_not_missing(
    backtest: Written, stoculus: Run, tmp_path: Path
) -> None:
    span = ("--start", "2024-01-08T15:00", "--end", "2024-01-09T16:00", "--to", str(tmp_path / "part.png"))

    _, out, _ = stoculus("plot", backtest.backtest_id, "--topic", backtest.topics[0], *span, "--json")

    [quotes] = json.loads(out)["topics"]
    assert quotes["empty_days"] == {
        "2024-01-08": "no records in the part that is drawn",
        "2024-01-09": "the vendor has no rows for the day",
    }
    assert (quotes["records"], quotes["lowest"]) == (0, None)


def test_a_page_of_some_topics_and_a_part_of_their_time(
    backtest: Written, stoculus: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    span = ("--start", "2024-01-10T09:30", "--end", "2024-01-10T10:00")

    code, out, _ = stoculus("plot", backtest.backtest_id, "--topic", backtest.topics[0], *span, "--to", "part.html")

    page = (tmp_path / "part.html").read_text()
    assert code == 0
    assert out.endswith("Written: part.html\n")
    assert f"{backtest.topics[0]}  completed       30     1  2024-01-10 09:30:00  2024-01-10 09:59:00" in out
    assert page.count("<svg") == 2
    assert "<td>2024-01-10</td>" in page
    assert backtest.topics[1] not in page


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("nosuch",), 1, "There is no backtest nosuch"),
        (("nosuch", "--to", "x.pdf"), 2, "neither .png nor .html"),
        (("nosuch", "--to", "/no/such/x.png"), 2, "There is no folder"),
        (("nosuch", "--start", "noon"), 1, "is not a time"),
    ],
)
def test_what_cannot_be_drawn_is_told(
    stoculus: Run, arguments: tuple[str, ...], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    ended, out, err = stoculus("plot", *arguments)

    assert (ended, out) == (code, "")
    assert told in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--topic", "stock-msft-quote-historical-42"), "is no topic of backtest"),
        (("--start", "2024-01-09T18:00", "--end", "2024-01-09T20:00"), "no trading session"),
        (("--start", "2024-01-10", "--end", "2024-01-09"), "is not after the start"),
    ],
)
def test_a_part_that_is_not_there_is_told(
    backtest: Written, stoculus: Run, more: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    code, _, err = stoculus("plot", backtest.backtest_id, "--to", str(tmp_path / "x.png"), *more)

    assert code == 1
    assert told in err
