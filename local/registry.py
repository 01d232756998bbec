"""The Apicurio schema registry with its Confluent API, data in `<var>/registry`."""

from collections.abc import Mapping
from pathlib import Path

from local.java import JAVA
from local.probe import http_ok
from local.processes import Program

JVM = (
    "-Xmx384m",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:TieredStopAtLevel=1",  # it works seldom: start-up is what counts, 4 s instead of 6
)


def registry(var: Path, jar: Path, environment: Mapping[str, str], port: int = 8081) -> Program:
    """The registry on 127.0.0.1:`port`; `jar` is its `quarkus-run.jar`. Clients use `url(port)`.

    Ids outlive `kill -9`: H2 on disk, each commit written at once (its default is after half a second).
    """
    settings = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": str(port),
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": "0",
        "quarkus.banner.enabled": "false",
        "quarkus.http.access-log.enabled": "false",
        'quarkus.log.category."io.apicurio".level': "WARN",
        "apicurio.storage.sql.kind": "h2",
        "apicurio.datasource.url": f"jdbc:h2:file:{var / 'registry' / 'schemas'};WRITE_DELAY=0",
        "apicurio.datasource.jdbc.initial-size": "2",
        "apicurio.datasource.jdbc.min-size": "2",
        "apicurio.datasource.jdbc.max-size": "20",
    }
    return Program(
        name="registry",
        command=(JAVA, *JVM, *(f"-D{name}={value}" for name, value in settings.items()), "-jar", str(jar)),
        environment=environment,
        ports=(port,),
        ready=lambda: http_ok(port, "/apis/ccompat/v7/subjects"),
    )


def url(port: int) -> str:
    """Where clients of the Confluent API find the registry."""
    return f"http://127.0.0.1:{port}/apis/ccompat/v7"
