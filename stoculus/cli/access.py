"""`stoculus key …`: make, list, rotate and delete the coordinator's API keys."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stoculus.cli import completing
from stoculus.cli.output import Json, print_json, print_table, utc

if TYPE_CHECKING:
    from stoculus.cli.client import Coordinator

app = typer.Typer(
    no_args_is_help=True,
    help="API keys of a coordinator that asks for them (STOCULUS_ACCESS=keys).",
    epilog="They are managed with a key of scope admin in STOCULUS_API_KEY_FILE: the coordinator's STOCULUS_ADMIN_KEY, "
    "or one that was made with it.",
)

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The key's id.", show_default=False, autocompletion=completing.key_ids),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Who or what it is for.", show_default=False)]
Scopes = Annotated[
    str,
    typer.Option(
        metavar="LIST", help="backtests:read, backtests:write, streams:read, streams:write; admin is all of it."
    ),
]
Ttl = Annotated[str | None, typer.Option(metavar="TIME", help="It ends so long after: 12h, 90d. Default: never.")]
Overlap = Annotated[str | None, typer.Option(metavar="TIME", help="How long the old one is good: 1d (default), 0s.")]


@app.command()
def create(name: Name, scopes: Scopes, ttl: Ttl = None, as_json: Json = False) -> None:
    """Make a key. It is shown once, and stored nowhere.

    Give it the scopes that its user needs, and no more. `backtest submit
    --watch` needs backtests:write and backtests:read.

    Prints the key alone, so that it can go into a file; what it may do goes to
    standard error.

    Exit codes: 0 done, 1 refused, 2 wrong usage.

    Examples:
      stoculus key create research --scopes backtests:read,backtests:write
      stoculus key create wall --scopes streams:read --ttl 90d > wall.key
    """
    wanted = [scope.strip() for scope in scopes.split(",")]
    body = {"name": name, "scopes": wanted} | ({"ttl": ttl} if ttl else {})
    _print_made(_connect().ask("POST", "", body), as_json)


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys.

    Prints of each its beginning, by which its holder knows it, its scopes,
    when it was last used and when it ends. STOCULUS_ADMIN_KEY is not among
    them: it is a setting of the coordinator.

    Exit codes: 0 done, 1 refused, 2 wrong usage.

    Examples:
      stoculus key list
      stoculus key list --json
    """
    found = _connect().ask("GET", "")["keys"]
    if as_json:
        print_json(found)
        return
    columns = ("id", "name", "key", "scopes", "state", "last used", "ends")
    print_table(columns, [_row(key) for key in found])


@app.command()
def rotate(key_id: Id, overlap: Overlap = None, as_json: Json = False) -> None:
    """Make another key of the same name and scopes; the old one ends after a day.

    Both are good meanwhile, so that programs can change over. A key that has
    leaked is rotated with --overlap 0s.

    Prints the key alone; what it may do goes to standard error.

    Exit codes: 0 done, 1 refused, 2 wrong usage.

    Examples:
      stoculus key rotate 3f2a9c41d07b
      stoculus key rotate 3f2a9c41d07b --overlap 0s > research.key
    """
    body = {"overlap": overlap} if overlap else None
    _print_made(_connect().ask("POST", f"{_path(key_id)}:rotate", body), as_json)


@app.command()
def delete(key_id: Id, as_json: Json = False) -> None:
    """End a key at once.

    Whoever sends it from now on is refused; what was started with it goes on.

    Prints which key it was.

    Exit codes: 0 done, 1 there is no such key, 2 wrong usage.

    Examples:
      stoculus key delete 3f2a9c41d07b
    """
    answer = _connect().ask("DELETE", _path(key_id))
    if as_json:
        print_json(answer)
    else:
        typer.echo(f"The key {answer['name']} ({answer['shown']}) has ended.")


def _print_made(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    ends = f", until {utc(answer['expires_at'])} UTC" if answer["expires_at"] else ""
    scopes = ", ".join(answer["scopes"])
    typer.echo(f"The key {answer['name']} (id {answer['key_id']}) is good for {scopes}{ends}.", err=True)
    typer.echo("It is not shown again:", err=True)
    typer.echo(answer["key"])


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    scopes = ", ".join(key["scopes"])
    used = key["last_used_on"] or "never"
    return (key["key_id"], key["name"], key["shown"], scopes, key["state"], used, utc(key["expires_at"]) or "never")


def _connect() -> "Coordinator":
    from stoculus.cli.client import connect

    return connect("key")


def _path(key_id: str) -> str:
    from stoculus.cli.client import path_of

    return path_of(key_id)
