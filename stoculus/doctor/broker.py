"""The broker: whether it answers, what it is, its room, its disks, and whether transactions work."""

import socket
from collections.abc import Iterator
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from stoculus.connections import Kafka
from stoculus.doctor.probe import ANSWER_S, Level, Line
from stoculus.doctor.wire import LogDir, Wire
from stoculus.errors import BrokerRefused, BrokerUnavailable
from stoculus.kafka import admin

_PART: Final = "broker"
_TRANSACTIONAL_ID: Final = "stoculus-doctor"
_INIT_S: Final = 5.0
_LEAST_FREE_SHARE: Final = 0.1
_LEAST_FREE_BYTES: Final = 2**30
_NO_BYTES: Final = 128 * 2**20
_GB: Final = 1e9


def probe_broker(kafka: Kafka, max_partitions: int) -> Iterator[Line]:
    """Raise BrokerUnavailable where it does not answer, BrokerRefused where it does not let us in."""
    answering = [server for server in kafka.bootstrap.split(",") if _connects(*_place(server.strip()))]
    if not answering:
        raise BrokerUnavailable(
            f"nothing listens at {kafka.bootstrap}",
            remedy="Start it: `make local-up`. Or set STOCULUS_KAFKA_BOOTSTRAP (host:port).",
        )
    try:
        metadata = admin.connect(kafka).list_topics(timeout=ANSWER_S)
    except KafkaException as error:
        if isinstance(refused := admin.broker_error(error, "logging in"), BrokerRefused):
            raise refused from error
        raise BrokerUnavailable(
            f"what listens at {', '.join(answering)} does not answer as Kafka: {error.args[0].str()}",
            remedy="Correct STOCULUS_KAFKA_BOOTSTRAP, or see the broker's log.",
        ) from error
    nodes = [(str(each.host), each.port) for each in metadata.brokers.values()]
    kind = _kind(kafka, metadata.cluster_id, answering[0])
    yield Line("ok", _PART, f"{kafka.bootstrap} answers: {kind}, {_count(nodes)}{_login(kafka)}")
    for host, port in nodes:
        if not _connects(host, port):
            remedy = "Its advertised.listeners must name an address that this machine can reach."
            yield Line("failed", _PART, f"the broker calls itself {host}:{port}, where nothing listens", remedy)
    yield _room(sum(len(topic.partitions) for topic in metadata.topics.values()), max_partitions)
    if kafka.is_plain:
        for host, port in nodes:
            yield from _disks(host, port)
    else:
        found = "how full its disks are is not asked over TLS or with a login"
        yield Line("note", _PART, found, "Look there by yourself.")
    yield _transactions(kafka)


def _kind(kafka: Kafka, cluster_id: str | None, server: str) -> str:
    if (cluster_id or "").startswith("redpanda."):
        return "Redpanda"
    if not kafka.is_plain:
        return "Kafka"
    try:
        with Wire(*_place(server), ANSWER_S) as wire:
            release = wire.release()
    except BrokerUnavailable:
        release = None
    return f"Kafka, metadata of {release}" if release else "Kafka, it does not tell its version"


def _login(kafka: Kafka) -> str:
    if kafka.is_plain:
        return ""
    return f", over {kafka.protocol}" + (f" as {kafka.username}" if kafka.username else "")


def _count(nodes: list[Any]) -> str:
    return f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}"


def _room(used: int, most: int) -> Line:
    free = most - used
    found = f"{used:,} of {most:,} partitions are taken"
    remedy = "Delete backtests, or raise STOCULUS_MAX_PARTITIONS if the broker can hold more."
    level: Level = "failed" if free <= 0 else "warning" if free < most * _LEAST_FREE_SHARE else "ok"
    return Line(level, _PART, found, "" if level == "ok" else remedy)


def _disks(host: str, port: int) -> Iterator[Line]:
    try:
        with Wire(host, port, ANSWER_S) as wire:
            folders = wire.log_dirs()
    except BrokerUnavailable:
        folders = []
    if not folders:
        yield Line("note", _PART, f"{host}:{port} does not tell how full its disk is", "Look there by yourself.")
    for folder in folders:
        yield _disk(folder)


def _disk(folder: LogDir) -> Line:
    found = f"{folder.log_bytes / _GB:.2f} GB of logs in {folder.path}"
    if folder.free_bytes is None or folder.disk_bytes is None:
        return Line("note", _PART, f"{found}; how much is free is not told", "Look there by yourself.")
    found += f", {folder.free_bytes / _GB:.1f} of {folder.disk_bytes / _GB:.1f} GB are free"
    level: Level = (
        "failed" if folder.free_bytes < _NO_BYTES else "warning" if folder.free_bytes < _LEAST_FREE_BYTES else "ok"
    )
    return Line(level, _PART, found, "" if level == "ok" else "Make room: a broker with a full disk ends.")


def _transactions(kafka: Kafka) -> Line:
    settings = {**admin.QUIET, **kafka.config, "transactional.id": _TRANSACTIONAL_ID}
    try:
        Producer(settings).init_transactions(_INIT_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            remedy = f"Services need them; give theirs the rights that docs/security.md lists, {_TRANSACTIONAL_ID} too."
            return Line("note", _PART, f"{kafka.username or 'this user'} may not write in transactions", remedy)
        remedy = "Services write in transactions only. See the broker's log; a cluster of few nodes needs "
        remedy += "transaction.state.log.replication.factor and min.isr that it can meet."
        return Line("failed", _PART, f"transactions do not work: {error.args[0].str()}", remedy)
    return Line("ok", _PART, "transactions work")


def _place(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), ANSWER_S).close()
    except OSError:
        return False
    return True
