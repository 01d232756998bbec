"""A Theta Terminal without an account: its REST API for stocks and options, `/v3/calendar/...`, its WebSocket.

Run it with `stoculus simulator` or `python -m simulator`; in tests by `simulator.testing.running_simulator`.

Rows come from a synthetic market (`sources/synthetic.py`, symbols in `sources/tickers.py`) or from recordings
(`sources/recordings.py`); those of options from `options/`. What a tester can turn is behind `/__` (`/__docs`):

    POST /__faults     {"match": {"path": "stock/history/trade", "symbol": "AAPL", "date": "2024-01-03"},
                        "times": 3, "after_requests": 0, "fault": {"kind": "status", "status": 429}}
    GET, DELETE /__faults       the rules and how often each struck; DELETE ends them all
    GET, POST /__clock          {"now": "2024-01-03T12:00:00"}: the clock goes on from there; null: the real time
    GET, DELETE /__requests     what was asked (?path=&symbol=), counts, and the peak of requests under way
    POST /__dialect             {"quoted": false, "trimmed_times": true}: spell as an older build
    GET, POST /__stream         where the stream is; {"second_client": "broadcast"}: its switches (`stream/switches.py`)
    POST, DELETE /__tape        rows that the stream sends now, while its own day is quiet (`stream/tape.py`); DELETE
                                lets the own day go on

The stream (`stream/`) plays STOCULUS_SIM_LIVE_DATE once, STOCULUS_SIM_LIVE_SPEED times as fast as it was, or `max`:
from its first tick, when for a second nothing more was subscribed. Its ticks are those of the history of the day.

The kinds of faults are the models in `faults.py`; those of the stream but for refusals happen when they are posted.
Left out: snapshots, at-time, older JSON, FREE's rate limit, index streams.
"""
