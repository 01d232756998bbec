"""`stoculus schemas …`: the record types here, as released, and in the registry."""

import difflib
import json
from typing import TYPE_CHECKING, Any

import typer

from stoculus.cli.connections import settings
from stoculus.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from stoculus.records.catalog import RecordType

app = typer.Typer(no_args_is_help=True, help="The record types: register them, check them against the registry.")


@app.command()
def register(as_json: Json = False) -> None:
    """Register every record type in the registry; doing it again changes nothing."""
    from stoculus.kafka.registry import register_all

    ids = register_all(settings().registry_url)
    if as_json:
        print_json(ids)
    else:
        print_table(("subject", ">id"), [(subject, str(number)) for subject, number in ids.items()])


@app.command()
def check(as_json: Json = False) -> None:
    """Compare the .avsc files with RELEASED.json and with the registry; exit code 1 where they differ."""
    from stoculus.kafka import registry
    from stoculus.records import released
    from stoculus.records.catalog import record_types

    url = settings().registry_url
    versions = released.load()
    unreleased = released.unreleased(versions)
    with registry.connect(url) as client:
        ids = {record.name: _registered_id(client, record, url) for record in record_types()}
    rows = [
        {"record": name, "released": name not in unreleased, "registry_id": registered}
        for name, registered in ids.items()
    ]
    if as_json:
        print_json(rows)
    else:
        marks = {True: "yes", False: "NO", None: "NO"}
        texts = [(str(r["record"]), marks[bool(r["released"])], str(r["registry_id"] or "NO")) for r in rows]
        print_table(("record", "released", ">registry id"), texts)
    for record in record_types():
        if record.name in unreleased:
            typer.echo("\n".join(_diff(record, versions.get(record.name, []))), err=True)
    if unreleased:
        typer.echo("A .avsc is not in RELEASED.json. Is the change wanted? `stoculus schemas release`.", err=True)
    if missing := [name for name, registered in ids.items() if registered is None]:
        typer.echo(f"Not in the registry at {url}: {', '.join(missing)}. `stoculus schemas register`.", err=True)
    if unreleased or missing:
        raise typer.Exit(1)


@app.command()
def release() -> None:
    """Append changed .avsc files to RELEASED.json (for developers: a released version never changes again)."""
    from importlib import resources
    from pathlib import Path

    from stoculus.records import released

    names = released.release(Path(str(resources.files("schemas") / "RELEASED.json")))
    typer.echo(f"Released {', '.join(names)}." if names else "Nothing has changed since the last release.")


def _registered_id(client: Any, record: "RecordType", url: str) -> int | None:
    from stoculus.errors import SchemaNotRegistered
    from stoculus.kafka.registry import lookup_id

    try:
        return lookup_id(client, record, url)
    except SchemaNotRegistered:
        return None


def _diff(record: "RecordType", versions: list[dict[str, Any]]) -> list[str]:
    before = json.dumps(versions[-1]["schema"], indent=1, sort_keys=True).splitlines() if versions else []
    now = json.dumps(json.loads(record.avro), indent=1, sort_keys=True).splitlines()
    names = (f"{record.name} as released", f"{record.name}.avsc")
    return list(difflib.unified_diff(before, now, *names, lineterm="", n=2))
