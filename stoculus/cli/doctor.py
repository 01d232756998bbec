"""`stoculus doctor`: whether everything is there."""

import os
import platform
from typing import TYPE_CHECKING, Final

import typer

from stoculus.cli.output import Json, print_json

if TYPE_CHECKING:
    from stoculus.doctor.probe import Line

_STYLES: Final = {"ok": "green", "note": "cyan", "warning": "yellow", "failed": "bold red"}


def doctor(as_json: Json = False) -> None:
    """Look at everything that the suite needs, and say what to do where something is amiss.

    It looks at the settings of this shell; the broker (version, transactions,
    free partitions, disk); the registry (record types, compatibility); the
    coordinator, and the services as it sees them; the terminal (status words,
    stream, tier); and the clock. All at once, none for longer than seconds.

    Prints a line for each thing found: ok; note, odd and harmless; warning,
    work goes on; failed, it does not. Below it what to do.

    Exit codes: 0 nothing hinders work, 1 something failed, 2 wrong usage.

    Examples:
      stoculus doctor
      stoculus doctor --json
    """
    from importlib.metadata import version

    from stoculus.doctor import probe
    from stoculus.doctor.broker import probe_broker
    from stoculus.doctor.coordinator import probe_clock, probe_coordinator
    from stoculus.doctor.environment import known, probe_program, probe_settings
    from stoculus.doctor.registry import probe_registry
    from stoculus.doctor.vendor import probe_vendor
    from stoculus.settings import ClientSettings, CoordinatorSettings, LiveSettings

    environment = known(os.environ)
    client, coordinator = ClientSettings.load(environment), CoordinatorSettings.load(environment)
    vendor = LiveSettings.load(environment)
    versions = {"stoculus": version("stoculus"), "Python": platform.python_version()}
    lines = probe.run(
        {
            "program": lambda: probe_program(versions),
            "settings": lambda: probe_settings(os.environ),
            "broker": lambda: probe_broker(client.kafka, coordinator.max_partitions),
            "registry": lambda: probe_registry(client.registry),
            "coordinator": lambda: probe_coordinator(client.coordinator_url, client.api_key),
            "terminal": lambda: probe_vendor(vendor),
            "clock": lambda: probe_clock([f"{client.coordinator_url}/livez", client.registry_url, vendor.theta_url]),
        }
    )
    is_well = all(line.level != "failed" for line in lines)
    if as_json:
        print_json({"well": is_well, "found": [line._asdict() for line in lines]})
    else:
        _print(lines)
    if not is_well:
        raise typer.Exit(1)


def _print(lines: "list[Line]") -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    width = max(len(line.part) for line in lines)
    for line in lines:
        mark = Text(f"{line.level:<8}", _STYLES[line.level])
        console.print(Text.assemble(mark, f"{line.part:<{width}}  {line.found}"), soft_wrap=True)
        if line.remedy and line.level != "ok":
            console.print(Text(f"{'':<8}{'':<{width}}  try: {line.remedy}", "dim"), soft_wrap=True)
