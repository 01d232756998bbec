"""Apache Kafka as one process: broker and KRaft controller, data in `<var>/kafka`."""

import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local.java import JAVA
from local.processes import Program
from stoculus.errors import StackFailed

CLUSTER_ID = "c3RvY3VsdXMtbG9jYWwtMQ"  # Kafka wants a base64 UUID; one for every local stack
LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    "--sun-misc-unsafe-memory-access=allow",  # Java 24 and later warn of what Kafka does
)
HEAP = (
    "-Xmx512m",
    "-XX:+ExitOnOutOfMemoryError",
    # G1, the default, stops this broker for up to 100 ms every few seconds: the slowest live records wait for that
    "-XX:+UseZGC",
)
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
log.dirs={data}
auto.create.topics.enable=false
# one broker: internal topics have one replica, and few partitions so that they are soon made
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# after a crash the controller waits for the old session's end before it takes the broker back: 9 s by default
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# a sparse index of 10 MB, the default, costs milliseconds at its first touch: each topic and each marker pays
log.index.size.max.bytes=131072
# a transaction left hanging hides what others commit behind it: end it when its time-out is over
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"""


def broker(
    var: Path, jars: Path, environment: Mapping[str, str], port: int = 9092, controller_port: int = 9093
) -> Program:
    """Kafka on 127.0.0.1:`port`, no security; `jars` is the folder of its classes."""
    home = var / "kafka"
    properties = home / "server.properties"
    java = (JAVA, *HEAP, *LOGGING, "-cp", f"{jars}/*")

    def prepare() -> None:
        home.mkdir(parents=True, exist_ok=True)
        properties.write_text(PROPERTIES.format(port=port, controller_port=controller_port, data=home / "data"))
        if not (home / "data" / "meta.properties").exists():
            _format(java, properties)

    return Program(
        name="broker",
        command=(*java, "kafka.Kafka", str(properties)),
        environment=environment,
        ports=(port, controller_port),
        ready=lambda: _answers(port),
        prepare=prepare,
    )


def _format(java: tuple[str, ...], properties: Path) -> None:
    tool = (*java, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(properties))
    run = subprocess.run(tool, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = (run.stdout + run.stderr).strip()
        raise StackFailed(
            f"Kafka could not prepare its data folder {properties.parent / 'data'}: {said[-200:]}",
            remedy="Is the disk full or the folder another user's? Delete the folder and start again.",
            detail=said,
        )


def _answers(port: int) -> bool:
    with socket.socket() as probe:  # librdkafka would log every refused connection
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
    try:
        return bool(AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False
