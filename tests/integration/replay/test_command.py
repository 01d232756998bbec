"""`stoculus replay` in a pipe and on a terminal."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from stoculus.settings import VendorSettings
from tests.integration.replay.conftest import QUOTES, Read
from tests.integration.written import Written

Run = Callable[..., tuple[int, str, str]]


def test_it_says_what_it_does_and_what_it_did(stoculus: Run, history: Written, replay_id: str) -> None:
    code, out, err = stoculus("replay", history.backtest_id, "--id", replay_id, "--speed", "max", "--end", "2024-01-02")

    assert (code, err) == (0, "")
    begin, end = out.splitlines()
    assert begin == (
        f"Replaying {history.backtest_id} at full speed to stock-aapl-quote-replay-{replay_id} and 2 more topics."
    )
    assert re.fullmatch(
        r"Finished: 1,250 records in [\d.]+ s, of market time 2024-01-02T09:30:00 to 2024-01-02T09:40:00\.", end
    )


def test_json_is_the_summary_alone(stoculus: Run, history: Written, replay_id: str) -> None:
    chosen = ("--topic", history.topics[1], "--start", "2024-01-02T09:35")
    code, out, err = stoculus("replay", history.backtest_id, "--id", replay_id, "--speed", "max", "--json", *chosen)

    assert (code, len(err.splitlines())) == (0, 2)
    told = json.loads(out)
    assert told.pop("seconds") > 0
    assert told == {
        "replay_id": replay_id,
        "to": "topics",
        "topics": [f"stock-aapl-ohlcv1m-replay-{replay_id}"],
        "state": "finished",
        "records": 6,
        "first": "2024-01-02T14:35:00Z",
        "last": "2024-01-02T14:40:00Z",
        "next": None,
        "skipped_seconds": 0,
    }


def test_a_live_tape_shows_it(stoculus: Run, history: Written, replay_id: str) -> None:
    stoculus("replay", history.backtest_id, "--id", replay_id, "--speed", "max", "--topic", history.topics[0])

    quotes = f"stock-aapl-quote-replay-{replay_id}"
    code, out, _ = stoculus("tape", quotes, "--last", "1", "--limit", "1", "--json", "--latency")

    told = json.loads(out)
    assert (code, told["origin"], told["ts_event"]) == (0, "replay", "2024-01-02T14:39:59.500000Z")
    assert 0 < told["age_us"] < 60_000_000


@pytest.mark.parametrize(("speed", "code"), [("fast", 2), ("0", 1)])
def test_a_speed_that_is_none_is_refused(stoculus: Run, history: Written, speed: str, code: int) -> None:
    assert stoculus("replay", history.backtest_id, "--speed", speed)[0] == code


class Screen:
    """`stoculus replay` on a terminal; `press` is its keyboard."""

    def __init__(self, where: VendorSettings, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        places = {"STOCULUS_KAFKA_BOOTSTRAP": where.kafka_bootstrap, "STOCULUS_REGISTRY_URL": where.registry_url}
        # Who runs the tests in the background may ignore SIGINT, which programs would inherit.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from stoculus.cli.main import main; main()", "replay", *arguments],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=os.environ | places | {"TERM": "xterm", "COLUMNS": "200"},
            )
        finally:
            signal.signal(signal.SIGINT, before)
        os.close(theirs)
        self.seen = ""

    def press(self, *keys: bytes) -> None:
        for key in keys:
            os.write(self._ours, key)

    def read_until(self, pattern: str) -> re.Match[str]:
        """Forget what was shown, and read until something is shown."""
        self.seen = ""
        while not (found := re.search(pattern, self.seen)):
            try:
                self.seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", os.read(self._ours, 65536).decode(errors="replace"))
            except OSError as error:  # the program has ended
                raise AssertionError(self.seen) from error
        return found

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@contextmanager
def screen(where: VendorSettings, *arguments: str) -> Iterator[Screen]:
    opened = Screen(where, *arguments)
    try:
        yield opened
    finally:
        opened.close()


def test_keys_pause_seek_hasten_and_end_it(history: Written, where: VendorSettings, replay_id: str, read: Read) -> None:
    quotes = ("--topic", history.topics[0])
    with screen(where, history.backtest_id, "--id", replay_id, "--speed", "0.5", *quotes) as shown:
        shown.read_until("records  playing")
        shown.press(b" ")
        count = int(shown.read_until(r"(\d+) records  paused")[1])
        shown.press(b"\x1b[A", b"\x1b[A")
        shown.read_until("x2 ")
        shown.press(b"\x1bOB")
        shown.read_until("x1 ")
        shown.press(b"\x1b[C", b"\x1b[C", b"\x1b[D")
        shown.read_until("09:31:")
        shown.press(b" ")
        shown.read_until(f"{count + 1} records  playing")
        shown.press(b"q")
        shown.read_until("Stopped: .* --start 2024-01-02T09:31:")
        assert shown.process.wait() == 0

    times = [each.time_ms for each in read(f"stock-aapl-quote-replay-{replay_id}")]
    steps = [later - earlier for earlier, later in pairwise(times)]
    assert steps.pop(count - 1) in (60_000, 60_500)
    assert set(steps) <= {500}


def test_control_c_stops_it_and_start_goes_on(
    history: Written, where: VendorSettings, replay_id: str, stoculus: Run, read: Read
) -> None:
    arguments = (history.backtest_id, "--id", replay_id, "--topic", history.topics[0])
    with screen(where, *arguments, "--speed", "50") as shown:
        shown.read_until(r"[1-9]\d records")
        shown.process.send_signal(signal.SIGINT)
        start = shown.read_until(r"--start (\S+) goes on\.")[1]
        assert shown.process.wait() == 130

    assert stoculus("replay", *arguments, "--speed", "max", "--start", start)[0] == 0

    records = [each.whole for each in read(f"stock-aapl-quote-replay-{replay_id}")]
    assert records == [each.whole for each in read(history.topics[0])]
    assert len(records) == QUOTES.num_rows
