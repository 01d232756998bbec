import subprocess
import sys
from importlib.metadata import EntryPoint, version

import pytest
from typer.testing import CliRunner

from stoculus.cli import plugins
from stoculus.cli.main import app, main
from stoculus.cli.output import print_error
from stoculus.errors import InvalidRequest, SettingsInvalid

runner = CliRunner()


def test_the_version_is_the_distribution_s() -> None:
    assert runner.invoke(app, ["--version"]).output == f"stoculus {version('stoculus')}\n"


def test_help_names_every_command_and_the_plug_ins() -> None:
    told = runner.invoke(app, ["--help"]).output

    assert all(
        name in told for name in ("backtest", "stream", "tape", "consume", "topics", "schemas", "local", "simulator")
    )


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, stoculus.cli.main\n"
        "heavy = {'pyarrow', 'confluent_kafka', 'exchange_calendars', 'httpx2', 'pydantic', 'orjson', 'numpy',"
        " 'matplotlib', 'rich.console', 'local', 'simulator'}\n"
        "print(*heavy & set(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_a_plug_in_that_lacks_a_package_says_what_to_install() -> None:
    broken = EntryPoint("simulator", "no_such_package.cli:app", plugins.GROUP)

    with pytest.raises(SettingsInvalid, match="needs no_such_package") as caught:
        plugins.load(broken)

    assert caught.value.remedy == "Install the suite: pip install 'stoculus[suite]'"


def test_a_plot_without_matplotlib_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.argv = ['stoculus', 'plot', '42']\n"
        "from stoculus.cli.main import main; main()"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.returncode == 1
    assert "`stoculus plot` needs matplotlib" in run.stderr
    assert "pip install 'stoculus[plot]'" in run.stderr


def test_a_plug_in_gets_its_own_options() -> None:
    told = runner.invoke(app, ["local", "--help"])

    assert told.exit_code == 0
    assert "up" in told.output
    assert "Usage: stoculus local" in told.output


def test_an_error_is_one_block_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(InvalidRequest("No [such] day.", remedy="Take another.", field="start", detail="request id 7"))

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "error: No [such] day.",
        "where: start",
        "try:   Take another.",
        "request id 7",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["consume"], 2, "Missing argument"),
        (["consume", "t", "--from", "noon"], 2, "is not a time"),
        (["consume", "t", "--from", "2024-01-02", "--group", "g"], 2, "leave --from out"),
        (["backtest", "submit"], 2, "--symbols"),
        (["backtest", "submit", "--root", "SPXW", "--start", "2024-01-05"], 2, "Invalid value for --root"),
        (["backtest", "estimate", "--root", "SPXW", "--dte", "0", "--strikes", "x"], 2, "Invalid value for --strikes"),
        (["backtest", "submit", "x.json", "--start", "2024-01-02"], 2, "not both"),
        (["backtest", "submit", "/no/such/file.json"], 2, "/no/such/file.json"),
        (["backtest", "list"], 1, "make local-up"),
        (["stream", "start", "--session", "regular"], 2, "--symbols"),
        (["stream", "start", "x.json", "--warmup", "2d"], 2, "not both"),
        (["stream", "list"], 1, "make local-up"),
        (["tape"], 2, "Missing argument"),
        (["tape", "t", "--from", "2024-01-02", "--last", "1"], 2, "use one of them"),
        (["tape", "t"], 1, "make local-up"),
        (["topics"], 1, "make local-up"),
        (["consume", "t"], 1, "make local-up"),
        (["schemas", "check"], 1, "127.0.0.1:1"),
    ],
)
def test_failures_tell_what_to_do(
    arguments: list[str], code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOCULUS_COORDINATOR_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("STOCULUS_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("STOCULUS_REGISTRY_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["stoculus", *arguments])

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == code
    assert told in capsys.readouterr().err


def test_an_unknown_setting_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("STOCULUS_KAFKA_BOOTSTRAPS", "x")
    monkeypatch.setattr(sys, "argv", ["stoculus", "topics"])

    with pytest.raises(SystemExit):
        main()

    assert "STOCULUS_KAFKA_BOOTSTRAP?" in capsys.readouterr().err
