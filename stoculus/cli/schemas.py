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
    """Register every record type in the registry.

    Each .avsc becomes a version of the subject that its record is named;
    where it is registered already nothing changes. The local stack does this
    at its start.

    Prints the subjects and their schema ids.

    Exit codes: 0 done, 1 the registry refuses or does not answer,
    2 wrong usage.

    Examples:
      stoculus schemas register
      stoculus schemas register --json
    """
    from stoculus.kafka.registry import register_all

    ids = register_all(settings().registry)
    if as_json:
        print_json(ids)
    else:
        print_table(("subject", ">id"), [(subject, str(number)) for subject, number in ids.items()])


@app.command()
def check(as_json: Json = False) -> None:
    """Compare the record types with those released, and with the registry.

    Prints for each record type whether it is released as it is, and its id in
    the registry. What has changed since the release, and what to do, goes to
    standard error.

    Exit codes: 0 all agree, 1 they differ or the registry does not answer,
    2 wrong usage.

    Examples:
      stoculus schemas check
      stoculus schemas check --json
    """
    from stoculus.kafka import registry
    from stoculus.records import released
    from stoculus.records.catalog import record_types

    where = settings().registry
    versions = released.load()
    unreleased = released.unreleased(versions)
    with registry.connect(where) as client:
        ids = {record.name: _registered_id(client, record, where.url) for record in record_types()}
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
        typer.echo(f"Not in the registry at {where.url}: {', '.join(missing)}. `stoculus schemas register`.", err=True)
    if unreleased or missing:
        raise typer.Exit(1)


@app.command()
def release(as_json: Json = False) -> None:
    """Append changed .avsc files to RELEASED.json; for developers.

    A released version never changes again: what consumers have stored stays
    readable. It writes schemas/RELEASED.json of the checkout.

    Prints the names of the record types that have changed.

    Exit codes: 0 done, also where nothing has changed, 2 wrong usage.

    Examples:
      stoculus schemas release
    """
    from importlib import resources
    from pathlib import Path

    from stoculus.records import released

    names = released.release(Path(str(resources.files("schemas") / "RELEASED.json")))
    if as_json:
        print_json({"released": names})
    else:
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
