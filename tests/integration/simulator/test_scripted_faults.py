"""Each kind of fault, as a client meets it."""

import socket
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

DAY = {"symbol": "AAPL", "date": "20240103"}
TRADES = "/v3/stock/history/trade"


def script(terminal: httpx2.Client, fault: dict[str, Any], **rule: Any) -> None:
    assert terminal.post("/__faults", json={"fault": fault, **rule}).status_code == 201


def good(terminal: httpx2.Client) -> bytes:
    response = terminal.get(TRADES, params=DAY)
    assert response.status_code == 200
    return response.content


def received(terminal: httpx2.Client, timeout: float = 30) -> tuple[bytes, Exception | None]:
    """What arrives of the body before the connection breaks."""
    body = bytearray()
    try:
        with terminal.stream("GET", TRADES, params=DAY, timeout=timeout) as response:
            for part in response.iter_raw():
                body += part
    except httpx2.HTTPError as error:
        return bytes(body), error
    return bytes(body), None


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (403, "Please consider upgrading!"),
        (429, "Too many concurrent requests"),
        (472, "No data found for your request"),
        (474, "MDDS"),
        (478, "Invalid session ID. This can occur if more than one terminal is running."),
        (500, "Powered by Jetty"),
        (570, "Too much data"),
        (571, "starting"),
    ],
)
def test_a_status_comes_with_the_vendors_text(terminal: httpx2.Client, status: int, text: str) -> None:
    script(terminal, {"kind": "status", "status": status}, times=1)

    response = terminal.get(TRADES, params=DAY)

    assert response.status_code == status
    assert text in response.text
    assert response.headers["content-type"] == ("text/html" if status == 500 else "text/plain")
    good(terminal)


def test_a_match_names_path_symbol_and_date(terminal: httpx2.Client) -> None:
    match = {"path": "stock/history/trade", "symbol": "AAPL", "date": "2024-01-03"}
    script(terminal, {"kind": "status", "status": 571, "body": "soon"}, match=match, times=1, after_requests=1)

    statuses = [
        terminal.get(path, params=query).status_code
        for path, query in (
            (TRADES, {**DAY, "symbol": "MSFT"}),
            (TRADES, {**DAY, "date": "20240104"}),
            ("/v3/stock/history/quote", DAY),
            (TRADES, DAY),
            (TRADES, DAY),
            (TRADES, DAY),
        )
    ]

    assert statuses == [200, 200, 200, 200, 571, 200]
    [rule] = terminal.get("/__faults").json()
    assert (rule["seen"], rule["fired"], rule["fault"]["body"]) == (2, 1, "soon")


def test_a_wrong_script_is_422(terminal: httpx2.Client) -> None:
    assert terminal.post("/__faults", json={"fault": {"kind": "gremlin"}}).status_code == 422
    assert terminal.get("/__faults").json() == []


@pytest.mark.parametrize("after_bytes", [0, 10_000, 500_000])
def test_a_reset_breaks_the_connection_after_so_many_bytes(terminal: httpx2.Client, after_bytes: int) -> None:
    whole = good(terminal)
    script(terminal, {"kind": "reset", "after_bytes": after_bytes}, times=1)

    body, error = received(terminal)

    assert isinstance(error, httpx2.ReadError)
    assert body == whole[:after_bytes]
    assert good(terminal) == whole


def test_a_reset_is_a_reset_on_the_socket(terminal: httpx2.Client, simulator_url: str) -> None:
    script(terminal, {"kind": "reset", "after_bytes": 0}, times=1)
    address = urlsplit(simulator_url)

    with socket.create_connection((address.hostname, address.port or 0), timeout=10) as raw:
        raw.sendall(f"GET {TRADES}?symbol=AAPL&date=20240103 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            raw.recv(1)


def test_a_cut_body_ends_cleanly(terminal: httpx2.Client) -> None:
    whole = good(terminal)
    script(terminal, {"kind": "cut", "after_bytes": 300_123}, times=1)

    body, error = received(terminal)

    assert error is None
    assert body == whole[:300_123]


def test_a_small_body_is_cut_cleanly_too(terminal: httpx2.Client) -> None:
    script(terminal, {"kind": "cut", "after_bytes": 100}, times=1)

    response = terminal.get("/v3/stock/history/ohlc", params={**DAY, "interval": "1h"})

    assert (len(response.content), response.headers["content-length"]) == (100, "100")


def test_a_truncated_body_has_no_last_chunk(terminal: httpx2.Client) -> None:
    whole = good(terminal)
    script(terminal, {"kind": "truncate_chunked", "after_bytes": 300_000}, times=1)

    body, error = received(terminal)

    assert isinstance(error, httpx2.RemoteProtocolError)
    assert body == whole[:300_000]


@pytest.mark.parametrize("headers", [False, True])
def test_silence_is_broken_by_the_client(terminal: httpx2.Client, *, headers: bool) -> None:
    script(terminal, {"kind": "silent", "seconds": 20, "headers": headers}, times=1)

    body, error = received(terminal, timeout=0.3)

    assert isinstance(error, httpx2.ReadTimeout)
    assert body == b""


def test_silence_ends_with_a_closed_connection(terminal: httpx2.Client) -> None:
    script(terminal, {"kind": "silent", "seconds": 0.1}, times=1)

    _, error = received(terminal)

    assert isinstance(error, httpx2.RemoteProtocolError)


def test_a_stalled_body_goes_on(terminal: httpx2.Client) -> None:
    whole = good(terminal)
    script(terminal, {"kind": "stall", "after_bytes": 400_000, "seconds": 0.4}, times=2)

    impatient, error = received(terminal, timeout=0.2)
    patient, no_error = received(terminal)

    assert isinstance(error, httpx2.ReadTimeout)
    assert impatient == whole[:400_000]
    assert (patient, no_error) == (whole, None)


def test_a_slow_body_arrives_whole(terminal: httpx2.Client) -> None:
    whole = good(terminal)
    script(terminal, {"kind": "slow", "bytes_per_s": 8_000_000}, times=1)

    assert received(terminal) == (whole, None)


@pytest.mark.parametrize(
    ("kind", "content", "media_type"),
    [("empty_200", "", "text/csv"), ("html_200", "<html>", "text/html"), ("text_200", "No data found", "text/plain")],
)
def test_two_hundred_may_hold_no_table(terminal: httpx2.Client, kind: str, content: str, media_type: str) -> None:
    script(terminal, {"kind": kind}, times=1)

    response = terminal.get(TRADES, params=DAY)

    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert response.text.startswith(content)
    assert bool(response.text) == bool(content)


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        ({"kind": "drop_cell"}, {7}),
        ({"kind": "extra_cell"}, {7}),
        ({"kind": "nan", "column": "size"}, {7}),
        ({"kind": "non_utf8"}, {7}),
        ({"kind": "revised"}, {7}),
        ({"kind": "out_of_order"}, {7, 19_000}),
    ],
)
def test_a_row_can_be_damaged(terminal: httpx2.Client, fault: dict[str, str], changed: set[int]) -> None:
    whole = good(terminal).split(b"\r\n")
    script(terminal, {**fault, "row": 7}, times=1)

    damaged = good(terminal).split(b"\r\n")

    different = {number for number, (a, b) in enumerate(zip(whole, damaged, strict=True)) if a != b}
    assert different - {max(different)} == changed - {max(changed)}
    assert len(different) == len(changed)


@pytest.mark.parametrize("kind", ["column_renamed", "column_missing", "column_added", "column_moved"])
def test_a_column_can_be_changed(terminal: httpx2.Client, kind: str) -> None:
    script(terminal, {"kind": kind, "column": "extra" if kind == "column_added" else "size"}, times=1)

    names = good(terminal).split(b"\r\n")[0].decode().split(",")

    assert len(names) == {"column_missing": 9, "column_added": 11}.get(kind, 10)
    assert {"column_renamed": "size_renamed", "column_added": "extra"}.get(kind, "price") in names
    if kind == "column_moved":
        assert names[-1] == "size"


def test_another_login_takes_the_session_until_it_is_cleared(terminal: httpx2.Client) -> None:
    script(terminal, {"kind": "another_login"})

    for path in (TRADES, "/v3/stock/list/symbols"):
        response = terminal.get(path, params=DAY)
        assert response.status_code == 478
        assert len(response.content) == 72
    assert terminal.get("/v3/terminal/mdds/status").text == "UNVERIFIED"

    terminal.delete("/__faults")
    assert terminal.get("/v3/terminal/mdds/status").text == "CONNECTED"
    good(terminal)


def test_the_status_word_can_be_scripted(terminal: httpx2.Client) -> None:
    match = {"path": "terminal/mdds/status"}
    script(terminal, {"kind": "status", "status": 200, "body": "DISCONNECTED"}, match=match)

    assert terminal.get("/v3/terminal/mdds/status").text == "DISCONNECTED"
    good(terminal)
