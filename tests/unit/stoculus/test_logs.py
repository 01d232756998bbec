"""Lines of the logs: what they hold, what they belong to, and what never gets into them."""

import io
import json
import logging
import string
import subprocess
import sys
import threading
from contextvars import copy_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from stoculus import logs
from stoculus.settings import LogFormat, SuiteSettings

CANARY = "xk29-canary-77"
HEADERS = [
    "Authorization",
    "authorization",
    "Proxy-Authorization",
    "Cookie",
    "Set-Cookie",
    "X-API-Key",
    "x-api-key",
    "Api-Key",
    "X-Auth-Token",
    "X-Service-Token",
    "X-Amz-Security-Token",
]
SETTINGS = [
    "STOCULUS_THETA_PASSWORD",
    "STOCULUS_KAFKA_SASL_PASSWORD",
    "STOCULUS_REGISTRY_PASSWORD",
    "STOCULUS_ADMIN_KEY",
    "STOCULUS_API_KEY",
    "STOCULUS_SERVICE_TOKEN",
    "sasl.password",
    "ssl.key.password",
    "basic.auth.credentials",
    "api_key",
    "client_secret",
    "passwd",
]
FORMS = [
    "{name}: {secret}",
    "{name}={secret}",
    "{name} = '{secret}'",
    '{{"{name}": "{secret}", "other": 1}}',
    "{{'{name}': '{secret}'}}",
    "[('{name}', '{secret}'), ('a', 'b')]",
    "[(b'{name}', b'{secret}')]",
    '"{{\\"{name}\\": \\"{secret}\\"}}"',
    '{{"{name}": "{secret}',
    "GET /v1/things?a=1&{name}={secret}&b=2",
]


class Lines:
    """A logger whose lines are kept."""

    def __init__(self, settings: SuiteSettings) -> None:
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        handler.setFormatter(logs.formatter("tested", settings))
        self.log = logging.Logger("some.module")
        self.log.addHandler(handler)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def lines_of(log_format: LogFormat) -> Lines:
    return Lines(SuiteSettings(log_format=log_format))


@pytest.fixture
def as_json() -> Lines:
    return lines_of("json")


def test_a_line_of_json_says_when_what_and_by_whom(as_json: Lines) -> None:
    as_json.log.warning("%d of %s", 3, "four")

    [line] = as_json.objects
    assert line.pop("ts").endswith("Z")
    assert line == {"level": "warning", "logger": "some.module", "message": "3 of four", "service": "tested"}


def test_a_line_belongs_to_what_its_work_belongs_to(as_json: Lines) -> None:
    with logs.about(request_id="r1"):
        with logs.about(backtest_id="42", task_id="t"):
            as_json.log.info("inside")
        as_json.log.info("between")
    as_json.log.info("outside", extra={"topic": "stock-aapl-trade-live"})

    fields = [{name: line[name] for name in logs.FIELDS if name in line} for line in as_json.objects]
    assert fields == [
        {"request_id": "r1", "backtest_id": "42", "task_id": "t"},
        {"request_id": "r1"},
        {"topic": "stock-aapl-trade-live"},
    ]


def test_a_thread_that_is_given_the_context_logs_for_the_same_work(as_json: Lines) -> None:
    with logs.about(task_id="t"):
        given = threading.Thread(target=copy_context().run, args=(as_json.log.info, "given"))
    other = threading.Thread(target=as_json.log.info, args=("other",))
    for thread in (given, other):
        thread.start()
        thread.join()

    assert [line.get("task_id") for line in as_json.objects] == ["t", None]


def test_an_error_stands_in_its_line_with_its_stack(as_json: Lines) -> None:
    try:
        raise ValueError("no such thing")
    except ValueError:
        as_json.log.exception("It failed")

    [line] = as_json.objects
    assert (line["error"]["type"], line["error"]["message"]) == ("ValueError", "no such thing")
    assert "test_logs.py" in line["error"]["stack"]


@pytest.mark.parametrize("quoted", ["two\nlines", "\udce4", "\x00\x1b[31m", '"}'])
def test_what_was_sent_cannot_break_a_line(as_json: Lines, quoted: str) -> None:
    as_json.log.info("%s", quoted)

    assert [line["message"] for line in as_json.objects] == [quoted]


def test_text_has_a_line_for_each_message_however_it_was_made() -> None:
    lines = lines_of("text")
    lines.log.info("a\r\n2024-01-01T00:00:00.000Z INFO forged: b")

    [line] = lines.text.splitlines()
    assert line.endswith(r"Z INFO some.module: a\r\n2024-01-01T00:00:00.000Z INFO forged: b")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [*HEADERS, *SETTINGS])
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_secret_is_hidden_behind_its_name(log_format: LogFormat, name: str, form: str) -> None:
    lines = lines_of(log_format)
    lines.log.info("%s", form.format(name=name, secret=CANARY))

    assert CANARY not in lines.text
    assert name in lines.text
    assert logs.HIDDEN in lines.text


@pytest.mark.parametrize("name", ["Authorization", "proxy-authorization"])
@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Digest username=me, response="])
def test_of_an_authorization_nothing_is_shown(name: str, scheme: str) -> None:
    lines = lines_of("text")
    lines.log.info("headers:\n%s: %s %s\nAccept: */*", name, scheme, CANARY)

    assert CANARY not in lines.text


@pytest.mark.parametrize(
    "text",
    [
        f"the key was Bearer {CANARY}",
        f"connecting to postgresql://stoculus:{CANARY}@db/stoculus failed",
        f"http://me:{CANARY}@registry:8081",
    ],
)
def test_a_secret_without_a_name_is_known_by_where_it_stands(text: str) -> None:
    lines = lines_of("text")
    lines.log.info(text)

    assert CANARY not in lines.text


@given(
    st.text(string.ascii_letters + string.digits + "-_", min_size=43, max_size=43), st.sampled_from(["/", "%22", "is "])
)
def test_of_a_key_four_characters_are_shown(random: str, before: str) -> None:
    lines = lines_of("text")
    lines.log.info(f"the key{before}stoc_{random}")

    assert f"{before}stoc_{random[:4]}****" in lines.text
    assert random[4:] not in lines.text


def test_a_secret_is_hidden_in_arguments_errors_and_stacks(as_json: Lines) -> None:
    try:
        raise ValueError({"Authorization": f"Bearer {CANARY}"})
    except ValueError:
        as_json.log.exception("headers %s", {"x-api-key": CANARY})

    assert CANARY not in as_json.text
    assert as_json.text.count(logs.HIDDEN) >= 3


class _Settings(SuiteSettings):
    a_password: SecretStr = SecretStr("")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_secrets_of_the_settings_are_hidden_wherever_they_stand(log_format: LogFormat) -> None:
    lines = Lines(_Settings(log_format=log_format, a_password=SecretStr(CANARY)))
    lines.log.info("it was (%s)", CANARY)

    assert CANARY not in lines.text


@pytest.mark.parametrize(
    "text",
    [
        "Set the password, then start it again.",
        "Kafka failed while creating topics: Broker: Topic authorization failed.",
        "stock-aapl-ohlcv1m-historical-42 starts, attempt 1",
        "http://127.0.0.1:8081/apis/ccompat/v7 answers",
    ],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    lines = lines_of("text")
    lines.log.info(text)

    assert lines.text.rstrip().endswith(text)


_PROGRAM = """
import logging, threading, warnings
from stoculus import logs
from stoculus.settings import SuiteSettings
logs.configure("tested", SuiteSettings(log_format="json"))
logging.getLogger("uvicorn.error").info("a library's")
logging.getLogger("httpx2").info("each request")
warnings.warn("a warning")
thread = threading.Thread(target=lambda: 1 / 0, name="one")
thread.start()
thread.join()
raise SystemError("the end")
"""


def test_all_that_a_program_says_is_json() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [line["logger"] for line in lines] == ["uvicorn.error", "py.warnings", "stoculus.logs", "stoculus.logs"]
    assert [line.get("error", {}).get("type") for line in lines] == [None, None, "ZeroDivisionError", "SystemError"]
