"""Commands of other packages: the entry-point group `stoculus.cli`, each value a typer app.

They are loaded when they are called: `stoculus` itself imports nothing of the rest of the suite.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import typer
from typer.core import TyperCommand

from stoculus.errors import SettingsInvalid

GROUP: Final = "stoculus.cli"

_HELP: Final = {
    "local": "The whole stack on this machine: up, down, status.",
    "simulator": "A Theta Terminal without an account.",
}


class PlugIn(TyperCommand):
    """A command that is loaded when it is called, helped with or completed, not when it is listed."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(entry.name, help=_HELP.get(entry.name, f"Of {entry.value.partition(':')[0]}."))
        self._entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **more: Any) -> typer.Context:
        """The context of the plug-in's own command, which is thereby what runs."""
        command = typer.main.get_command(load(self._entry))
        context: typer.Context = command.make_context(info_name, args, parent, **more)  # type: ignore[assignment]
        return context


def found() -> list[PlugIn]:
    """A command for each plug-in that is installed, by name."""
    return [PlugIn(entry) for entry in sorted(entry_points(group=GROUP), key=lambda each: each.name)]


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
