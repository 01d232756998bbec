from simulator.requests import RequestLog


def test_the_log_counts_all_and_keeps_the_newest() -> None:
    log = RequestLog()
    for number in range(10_001):
        log.add("stock/history/trade", {"symbol": "AAPL", "n": str(number)})
    log.add("stock/history/eod", {"symbol": "MSFT"})["status"] = 200

    shown = log.shown(None, "MSFT")

    assert shown["total"] == 10_002
    assert shown["by_path"]["stock/history/trade"] == 10_001
    assert shown["requests"] == [{"path": "stock/history/eod", "query": {"symbol": "MSFT"}, "status": 200}]
    assert len(log.shown("stock/history/trade", None)["requests"]) == 9_999

    log.clear()
    assert log.shown(None, None)["total"] == 0
