"""Commands of other packages: the entry-point group `stoculus.cli`, each value a typer app.

They are loaded when they are called: `stoculus` itself imports nothing of the rest of the suite.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Final

import typer

from stoculus.errors import SettingsInvalid

GROUP: Final = "stoculus.cli"

_HELP: Final = {
    "local": "The whole stack on this machine: up, down, status.",
    "simulator": "A Theta Terminal without an account.",
}


def add_to(app: typer.Typer) -> None:
    """Add a command for each plug-in that is installed."""
    for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        _add(app, entry)


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    def run(context: typer.Context) -> None:
        load(entry)(args=context.args, prog_name=f"stoculus {entry.name}")

    help_text = _HELP.get(entry.name, f"Of {entry.value.partition(':')[0]}.")
    passed_on = {"ignore_unknown_options": True, "allow_extra_args": True}
    app.command(entry.name, help=help_text, context_settings=passed_on, add_help_option=False)(run)


def load(entry: EntryPoint) -> typer.Typer:
    """The typer app of a plug-in; raise SettingsInvalid where what it needs is not installed."""
    try:
        loaded: typer.Typer = entry.load()
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            f"`stoculus {entry.name}` needs {error.name}, which is not installed.",
            remedy="Install the suite: pip install 'stoculus[suite]'",
        ) from error
    return loaded
