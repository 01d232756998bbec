"""The README's session, pasted into a shell."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, free_ports

PORTS = {"KAFKA": 9092, "REGISTRY": 8081, "COORDINATOR": 8000}
OTHER_PORTS = ("KAFKA_CONTROLLER", "SIM", "SIM_WS", "HISTORICAL_STOCK", "HISTORICAL_OPTION", "LIVE_STREAM")


def session() -> list[str]:
    """The shell blocks of "A session to paste"."""
    text = (CHECKOUT / "README.md").read_text()
    chapter = text.split("## A session to paste")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)


class Shell:
    """A shell in the checkout, with the stack's ports moved to free ones, in its variables and in what is pasted."""

    def __init__(self, var: Path) -> None:
        ports = free_ports(len(PORTS) + len(OTHER_PORTS))
        chosen = dict(zip((*PORTS, *OTHER_PORTS), map(str, ports), strict=True))
        self._moved = {f"127.0.0.1:{port}": f"127.0.0.1:{chosen[name]}" for name, port in PORTS.items()}
        self._moved[" var/"] = f" {var}/"
        self.vendor_url = f"http://127.0.0.1:{chosen['SIM']}"
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("STOCULUS_")}
        self._environment = foreign | {
            **{f"STOCULUS_{name}_PORT": port for name, port in chosen.items()},
            "STOCULUS_VAR_DIR": str(var),
            "STOCULUS_KAFKA_BOOTSTRAP": f"127.0.0.1:{chosen['KAFKA']}",
            "STOCULUS_REGISTRY_URL": f"http://127.0.0.1:{chosen['REGISTRY']}/apis/ccompat/v7",
            "STOCULUS_COORDINATOR_URL": f"http://127.0.0.1:{chosen['COORDINATOR']}",
        }

    def paste(self, block: str, **variables: str) -> str:
        """Run a block as it stands; return what it prints."""
        for default, moved in self._moved.items():
            block = block.replace(default, moved)
        run = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=CHECKOUT,
            env=self._environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "java").symlink_to(CHECKOUT / "var" / "java")  # fetched once a checkout
    shell = Shell(tmp_path)
    yield shell
    shell.paste("make local-down")


@pytest.mark.usefixtures("java_artifacts")
def test_every_command_of_the_session_works_as_pasted(shell: Shell) -> None:
    start, submit, kcat, read, find, python, files, chain, stocks, streams = session()

    assert "coordinator is ready" in shell.paste(start)
    assert re.search(r"Backtest 42 completed: [\d,]+ records in 4 topics\.", shell.paste(submit))
    if shutil.which("kcat"):
        stock, _, _, option, _, _ = shell.paste(kcat).splitlines()
        assert stock == "AAPL 1704205800000 0"
        assert re.fullmatch(r"SPXW  240105[CP]0\d{7} 1704205800000 0", option)
    assert len(shell.paste(read).splitlines()) == 3
    found = shell.paste(find)
    assert "2024-01-03 10:00" in found
    assert "SPXW  240105C04600000  2024-01-05 10:00:00.000  SPXW  2024-01-05" in found
    assert "Receipt of backtest 42" in found
    assert found.count('"ts_event":"2024-01-04T14:3') == 3

    *bars, last = shell.paste(python).splitlines()
    assert "2024-01-05 20:59:00+00:00" in "".join(bars)
    assert last.startswith("2024-01-05 15:00:00+00:00 option-spxw-quote1m-historical-42 ")
    done = shell.paste(files, STOCULUS_THETA_URL=shell.vendor_url)
    assert "records in 4 topics; all holds." in done
    assert re.search(r"Backtest 42 exported: [\d,]+ records in 16 files", done)
    assert re.search(r"Finished: [\d,]+ records", done)

    quotes = shell.paste(chain).splitlines()[-20:]
    assert all(re.search(r" SPXW 2024-01-08 4[78]\d[05] [CP] +quote ", line) for line in quotes)
    tape = shell.paste(stocks)
    assert all(re.search(rf" AAPL +{kind} .* m?s$", tape, re.MULTILINE) for kind in ("trade", "bar"))
    shown = shell.paste(streams)
    assert re.search(r"^chain +running +always +1 +42 ", shown, re.MULTILINE)
    assert "Stream bars: running, session always." in shown
    assert '"stream_id":"trades"' in shown
    assert "Stream trades is stopping. Its topics stay." in shown
