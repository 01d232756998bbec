"""A backtest from POST to receipt."""

from tests.integration.coordinator.conftest import Stack


def test_a_day_of_bars_goes_from_post_to_receipt(stack: Stack) -> None:
    submitted = stack.submit(backtest_id="way")
    assert submitted["topics"] == ["stock-aapl-ohlcv1m-historical-way"]
    done = stack.wait_for("way", "completed", "failed")

    assert done["state"] == "completed", done
    assert done["records"] > 300
