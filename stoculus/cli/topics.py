"""`stoculus topics`: what is on the broker."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from stoculus.cli.connections import reachable_kafka, settings
from stoculus.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from stoculus.checkpoints import Checkpoint
    from stoculus.connections import Kafka


def list_topics(
    show_all: Annotated[bool, typer.Option("--all", help="Also those of Kafka and of the suite itself.")] = False,
    as_json: Json = False,
) -> None:
    """List the topics on the broker, and what the checkpoints say of them.

    Prints for each the backtest that it belongs to, its record type, state and
    records as of the last checkpoint, and its offsets, from the first that is
    kept to the end. Offsets count the markers of transactions too, so there
    are more of them than records.

    Exit codes: 0 done, 1 the broker does not answer, 2 wrong usage.

    Examples:
      stoculus topics
      stoculus topics --all --json
    """
    from stoculus.kafka import admin

    kafka = reachable_kafka(settings().kafka)
    client = admin.connect(kafka)
    partitions = admin.partition_counts(client)
    shown = sorted(name for name in partitions if show_all or not name.startswith(("__", "_schemas", "stoculus.")))
    ends = _offsets(client, {name: partitions[name] for name in shown})
    checkpoints = _checkpoints(kafka) if "stoculus.checkpoints" in partitions else {}
    rows = [_row(name, ends[name], checkpoints.get(name)) for name in shown]
    if as_json:
        print_json(rows)
        return
    columns = ("topic", "backtest", "record", "state", ">records", ">offsets")
    print_table(columns, [[_text(row[column.lstrip(">")]) for column in columns] for row in rows])


def _row(name: str, offsets: int, checkpoint: "Checkpoint | None") -> dict[str, Any]:
    row: dict[str, Any] = {"topic": name, "backtest": None, "record": None, "state": None, "records": None}
    if checkpoint:
        record = checkpoint.record.rpartition(".")[2]
        row |= {"backtest": checkpoint.backtest_id, "record": record, "state": checkpoint.state}
        row["records"] = checkpoint.records
    return row | {"offsets": offsets}


def _text(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _offsets(client: Any, partitions: dict[str, int]) -> dict[str, int]:
    """Offsets of each topic, all partitions together, from the first that is kept to the end."""
    from confluent_kafka import KafkaException, TopicPartition
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

    from stoculus.kafka.admin import REQUEST_TIMEOUT_S, broker_error

    places = [TopicPartition(name, each) for name, count in partitions.items() for each in range(count)]
    counts = dict.fromkeys(partitions, 0)
    spec: Any = OffsetSpec
    try:
        for end, sign in ((spec.latest(), 1), (spec.earliest(), -1)) if places else ():
            found = client.list_offsets(dict.fromkeys(places, end), request_timeout=REQUEST_TIMEOUT_S)
            for place, future in found.items():
                counts[place.topic] += sign * future.result().offset
    except KafkaException as error:
        raise broker_error(error, "listing offsets") from error
    return counts


def _checkpoints(kafka: "Kafka") -> "dict[str, Checkpoint]":
    from stoculus.checkpoints import Checkpoint
    from stoculus.kafka.compacted import CompactedLog
    from stoculus.topics import CHECKPOINTS

    log = CompactedLog(kafka, CHECKPOINTS)
    try:
        newest = {key: value for key, value in log.read_to_end() if value is not None}
    finally:
        log.close()
    return {key: Checkpoint.model_validate_json(value) for key, value in newest.items()}
