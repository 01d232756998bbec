"""What prints JSON prints nothing else on standard output."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]


def test_a_stack_that_does_not_run_is_told_as_a_list(
    stoculus: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCULUS_VAR_DIR", str(tmp_path))

    code, out, err = stoculus("local", "status", "--json")
    stopped = json.loads(stoculus("local", "down", "--json")[1])

    assert (code, err) == (1, "")
    assert json.loads(out) == stopped
    assert {each["state"] for each in stopped} == {"stopped"}
    assert {"broker", "registry", "simulator", "coordinator"} <= {each["program"] for each in stopped}


def test_a_simulator_says_where_it_is() -> None:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--ws-port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        process.terminate()

    assert told["url"].startswith("http://127.0.0.1:")


def test_consumed_records_are_objects_or_csv(stoculus: Run) -> None:
    assert stoculus("consume", "t", "--csv", "--json")[0] == 2
