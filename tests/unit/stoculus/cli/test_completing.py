import json

import pytest
from typer.testing import CliRunner

from stoculus.cli import completing
from stoculus.cli.main import app
from tests.unit.stoculus.cli.conftest import Canned

BACKTESTS = {"backtests": [{"backtest_id": "42", "state": "running"}, {"backtest_id": "7", "state": "failed"}]}


@pytest.fixture
def coordinator(server: Canned, monkeypatch: pytest.MonkeyPatch) -> Canned:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", server.url)
    return server


def completed(shell: str, line: str) -> str:
    """What a shell is told when Tab is pressed behind the line."""
    variables = {
        "_STOCULUS_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    return CliRunner(env=variables).invoke(app, [], prog_name="stoculus").stdout


def test_backtests_are_offered_with_their_states(coordinator: Canned) -> None:
    coordinator.answers.append((200, "application/json", json.dumps(BACKTESTS)))

    assert completing.backtest_ids("") == [("42", "running"), ("7", "failed")]
    assert coordinator.asked[0][1] == "/v1/backtests?limit=200"


@pytest.mark.parametrize(
    ("shell", "told"),
    [("bash", "42\n"), ("zsh", """_arguments '*: :(("42":"running"))'\n"""), ("fish", "42\trunning\n")],
)
def test_each_shell_is_told_in_its_way(coordinator: Canned, shell: str, told: str) -> None:
    coordinator.answers.append((200, "application/json", json.dumps(BACKTESTS)))

    assert completed(shell, "stoculus backtest show 4") == told


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_streams_commands_and_plug_ins_are_offered(coordinator: Canned, shell: str) -> None:
    streams = {"streams": [{"stream_id": "tape", "state": "running"}]}
    coordinator.answers.append((200, "application/json", json.dumps(streams)))

    assert "tape" in completed(shell, "stoculus stream stop ")
    assert "verify" not in completed(shell, "stoculus backtest re")
    assert all(name in completed(shell, "stoculus backtest re") for name in ("receipt", "resume", "retry"))
    assert "status" in completed(shell, "stoculus local ")
    assert "--recordings" in completed(shell, "stoculus simulator --rec")


@pytest.mark.parametrize("answer", [(503, "text/html", "<html>"), (200, "application/json", "[]")])
def test_a_coordinator_in_trouble_is_passed_over_without_a_word(
    coordinator: Canned, answer: tuple[int, str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    coordinator.answers.append(answer)

    assert completing.backtest_ids("") == []
    assert capfd.readouterr() == ("", "")


def test_nobody_there_is_passed_over_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("STOCULUS_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr(completing, "_PATIENCE_S", 0.1)

    assert completed("bash", "stoculus stream show ").strip() == ""
    assert completed("bash", "stoculus tape ").strip() == ""
    monkeypatch.setenv("STOCULUS_KAFKA_BOOTSTRAPS", "a wrong setting")
    assert completed("bash", "stoculus tape ").strip() == ""
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "compdef"), ("fish", "complete --command")]
)
def test_each_shell_has_a_script_that_asks(shell: str, mark: str) -> None:
    script = CliRunner(env={"_STOCULUS_COMPLETE": f"source_{shell}"}).invoke(app, [], prog_name="stoculus").stdout

    assert mark in script
    assert "_STOCULUS_COMPLETE=complete_" + shell in script
