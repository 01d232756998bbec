"""A Kafka that wants TLS and a login and knows rights, set up as docs/security.md says."""

import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from pydantic import SecretStr

from local.broker import CLUSTER_ID, HEAP, LOGGING, PROPERTIES
from local.java import JAVA
from local.processes import Program
from stoculus.connections import Kafka
from tests.conftest import CHECKOUT, Broker
from tests.integration.security.certificates import HOST, Certificates

PASSWORD: Final = "canary-of-{user}"
ADMIN: Final = "admin"
USERS: Final = ("coordinator", "services", "research", "nobody")
DOCUMENT: Final = (CHECKOUT / "docs" / "security.md").read_text()
_TIMEOUT_S: Final = 15


@dataclass(frozen=True, slots=True)
class SecureBroker(Broker):
    """Its users have the rights that the document gives them; `nobody` has none."""

    certificates: Certificates

    @property
    def kafka(self) -> Kafka:
        """As its administrator."""
        return self.kafka_as(ADMIN)

    def kafka_as(self, user: str) -> Kafka:
        return login(self.bootstrap, user, self.certificates)

    def environment(self, user: str) -> dict[str, str]:
        """The settings of a program that logs in as a user."""
        return {
            "STOCULUS_KAFKA_BOOTSTRAP": self.bootstrap,
            "STOCULUS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "STOCULUS_KAFKA_SASL_USERNAME": user,
            "STOCULUS_KAFKA_SASL_PASSWORD": PASSWORD.format(user=user),
            "STOCULUS_KAFKA_CA_FILE": str(self.certificates.ca),
        }


def login(bootstrap: str, user: str, certificates: Certificates) -> Kafka:
    password = SecretStr(PASSWORD.format(user=user))
    return Kafka(bootstrap, "SASL_SSL", "SCRAM-SHA-512", user, password, certificates.ca)


def secure_broker(var: Path, jars: Path, environment: dict[str, str], ports: list[int], pem: Certificates) -> Program:
    """The program; `make_users` and `give_rights` do the rest."""
    port, controller_port = ports
    home = var / "secure-kafka"
    properties = home / "server.properties"
    java = (JAVA, *HEAP, *LOGGING, "-cp", f"{jars}/*")

    def prepare() -> None:
        home.mkdir(parents=True, exist_ok=True)
        plain = PROPERTIES.format(port=port, controller_port=controller_port, data=home / "data")
        properties.write_text(plain + _secured(port, controller_port, pem))
        scram = f"SCRAM-SHA-512=[name={ADMIN},password={PASSWORD.format(user=ADMIN)}]"
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(properties))
        subprocess.run([*java, *tool, "--add-scram", scram], stdin=subprocess.DEVNULL, capture_output=True, check=True)

    return Program(
        name="secure-broker",
        command=(*java, "kafka.Kafka", str(properties)),
        environment=environment,
        ports=(port, controller_port),
        ready=lambda: _answers(login(f"{HOST}:{port}", ADMIN, pem)),
        prepare=prepare,
    )


def make_users(admin: AdminClient, *users: str) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    made = admin.alter_user_scram_credentials(
        [UserScramCredentialUpsertion(user, info, PASSWORD.format(user=user).encode()) for user in users]
    )
    for future in made.values():
        future.result(_TIMEOUT_S)


def give_rights(admin: AdminClient) -> None:
    """Those that the document gives."""
    for future in admin.create_acls(list(_rights())).values():
        future.result(_TIMEOUT_S)


@contextmanager
def denied(admin: AdminClient, user: str, topic: str) -> Iterator[None]:
    """A user may not write to a topic meanwhile."""
    place = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*", AclOperation.WRITE)
    [made] = admin.create_acls([AclBinding(*place, AclPermissionType.DENY)]).values()
    made.result(_TIMEOUT_S)
    try:
        yield
    finally:
        [gone] = admin.delete_acls([AclBindingFilter(*place, AclPermissionType.DENY)]).values()
        gone.result(_TIMEOUT_S)


def _secured(port: int, controller_port: int, pem: Certificates) -> str:
    """The document's settings of a broker, with the names of this one."""
    [text] = re.findall(r"```properties\n(.*?)```", DOCUMENT, re.DOTALL)
    here = {
        "SASL_SSL://:9092": f"SASL_SSL://{HOST}:{port}",
        "127.0.0.1:9093": f"127.0.0.1:{controller_port}",
        "/run/secrets/broker.pem": str(pem.server),
        "/etc/kafka/ca.pem": str(pem.ca),
        'password="…"': f'password="{PASSWORD.format(user=ADMIN)}"',
    }
    for there, ours in here.items():
        assert there in text, there
        text = text.replace(there, ours)
    return str(text)


def _rights() -> Iterator[AclBinding]:
    """What the document's commands allow."""
    for line in re.findall(r"^acl (--.*)$", DOCUMENT, re.MULTILINE):
        words = shlex.split(line)
        options = list(zip(words[::2], words[1::2], strict=True))
        [user] = [value for name, value in options if name == "--allow-principal"]
        kind = dict(options).get("--resource-pattern-type", "literal")
        operations = [value for name, value in options if name == "--operation"]
        for name, resource in options:
            if name in ("--topic", "--group", "--transactional-id"):
                for operation in operations:
                    yield AclBinding(
                        ResourceType[name.removeprefix("--").replace("-", "_").upper()],
                        resource,
                        ResourcePatternType[kind.upper()],
                        user,
                        "*",
                        AclOperation[operation.upper()],
                        AclPermissionType.ALLOW,
                    )


def _answers(kafka: Kafka) -> bool:
    with socket.socket() as probe:
        host, _, port = kafka.bootstrap.rpartition(":")
        if probe.connect_ex((host, int(port))) != 0:
            return False
    try:
        return bool(AdminClient({**kafka.config, "log_level": 0}).list_topics(timeout=2).brokers)
    except KafkaException:
        return False
