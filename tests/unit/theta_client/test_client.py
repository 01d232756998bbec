import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, time

import pyarrow as pa
import pytest

from stoculus.errors import (
    LargeRequest,
    NoData,
    SessionTaken,
    StoculusError,
    TierTooLow,
    VendorAnswerMalformed,
    VendorBodyCut,
    VendorSilent,
    VendorUnreachable,
)
from stoculus.instruments import OptionContract
from tests.unit.theta_client.conftest import (
    DAY,
    QUOTE,
    CannedTerminal,
    Naps,
    Step,
    answer,
    close,
    hang,
    ok,
    reset,
    send,
    short_budgets,
    window,
)
from theta_client.client import Block, CalendarDay, Cancelled, HistoryRequest, OptionRequest, ThetaClient, Tier

HEADER = b"timestamp,bid_size,bid,ask\r\n"


def rows(*sizes: int) -> bytes:
    return b"".join(b"2024-01-02T09:30:00,%d,1.5,2.5\r\n" % size for size in sizes)


def history(client: ThetaClient, request: HistoryRequest, **options: bool) -> Iterator[Block]:
    return client.history(request, QUOTE, block_bytes=40, aborted=threading.Event(), **options)


def sizes(blocks: Iterator[Block]) -> list[int]:
    return [row["bid_size"] for block in blocks for row in block.batch.to_pylist()]


ROW_HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"
CHUNK_HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True])
def test_rows_come_in_the_vendors_order(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest, chunked: bool
) -> None:
    terminal.plays(ok(HEADER + rows(*range(20)), chunked=chunked))
    assert sizes(history(client, request_of_a_day)) == list(range(20))
    assert terminal.asked == [("/v3/stock/history/quote", request_of_a_day.params)]


@pytest.mark.parametrize(
    "fault",
    [
        (close,),
        (reset,),
        (send(ROW_HEAD + HEADER), close),
        (send(ROW_HEAD + HEADER + rows(1)), reset),
        (send(CHUNK_HEAD + b"20\r\ntimestamp,"), close),
        answer(429, b"busy"),
        answer(474, b"disconnected"),
        answer(571, b"starting"),
        answer(503, b""),
        answer(500, b"<html>null</html>"),
        answer(572, b"uncaught"),
        answer(470, b"general"),
    ],
)
def test_a_fault_before_the_first_block_is_tried_again(
    client: ThetaClient,
    terminal: CannedTerminal,
    request_of_a_day: HistoryRequest,
    naps: Naps,
    fault: Step | tuple[Step, ...],
) -> None:
    terminal.plays(fault, ok(HEADER + rows(1, 2)))
    assert sizes(history(client, request_of_a_day)) == [1, 2]
    assert len(terminal.asked) == 2
    assert len(naps.seconds) == 1


@pytest.mark.parametrize(("fault", "error"), [(close, VendorBodyCut), (reset, VendorBodyCut)])
def test_a_fault_after_the_first_block_is_left_to_the_caller(
    client: ThetaClient,
    terminal: CannedTerminal,
    request_of_a_day: HistoryRequest,
    fault: Step,
    error: type[StoculusError],
) -> None:
    terminal.plays((send(ROW_HEAD + HEADER + rows(*range(5))), fault))
    blocks = history(client, request_of_a_day)
    assert sizes(iter([next(blocks)])) == [0]
    with pytest.raises(error):
        list(blocks)
    assert len(terminal.asked) == 1


@pytest.mark.parametrize("silence", [(hang,), (send(ROW_HEAD + HEADER), hang)])
def test_silence_before_the_first_block_is_tried_again(
    impatient_client: ThetaClient,
    terminal: CannedTerminal,
    request_of_a_day: HistoryRequest,
    silence: tuple[Step, ...],
) -> None:
    terminal.plays(silence, ok(HEADER + rows(1, 2)))
    assert sizes(history(impatient_client, request_of_a_day)) == [1, 2]


def test_lasting_silence_is_reported(
    impatient_client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest, naps: Naps
) -> None:
    terminal.plays((hang,))
    with pytest.raises(VendorSilent, match="idle time-out"):
        list(history(impatient_client, request_of_a_day))
    assert len(naps.seconds) == 1


def test_silence_after_the_first_block_is_left_to_the_caller(
    impatient_client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    terminal.plays((send(ROW_HEAD + HEADER + rows(*range(5))), hang))
    blocks = history(impatient_client, request_of_a_day)
    next(blocks)
    with pytest.raises(VendorSilent):
        list(blocks)


def test_a_terminal_that_is_down_is_waited_for_and_then_reported(request_of_a_day: HistoryRequest, naps: Naps) -> None:
    gone = CannedTerminal()
    gone.close()
    with (
        ThetaClient(gone.url, "pro", sleep=naps, budgets=short_budgets(4)) as client,
        pytest.raises(VendorUnreachable, match="ConnectError"),
    ):
        list(history(client, request_of_a_day))
    assert len(naps.seconds) == 4


def test_a_list_of_a_terminal_that_is_down_fails_soon(naps: Naps) -> None:
    gone = CannedTerminal()
    gone.close()
    with ThetaClient(gone.url, "pro", sleep=naps) as client, pytest.raises(VendorUnreachable):
        client.symbols()
    assert len(naps.seconds) == 2


def test_a_keep_alive_connection_that_died_is_replaced(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    terminal.plays((ok(HEADER + rows(1)), close))
    for _ in range(3):
        assert sizes(history(client, request_of_a_day)) == [1]


def test_a_request_too_large_is_halved_into_one_stream(client: ThetaClient, terminal: CannedTerminal) -> None:
    too_large = answer(570, b"too large")
    terminal.plays(too_large, ok(HEADER + rows(1, 2, 3)), too_large, ok(HEADER + rows(4)), ok(HEADER + rows(5)))
    days = (date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4))
    blocks = list(history(client, HistoryRequest("quote", "AAPL", window(*days), "tick")))
    assert sizes(iter(blocks)) == [1, 2, 3, 4, 5]
    assert [line for block in blocks for line in block.lines.to_pylist()] == [2, 3, 4, 5, 6]
    spans = [(params["start_date"], params["end_date"]) for _, params in terminal.asked]
    assert spans == [
        ("20240102", "20240104"),
        ("20240102", "20240102"),
        ("20240103", "20240104"),
        ("20240103", "20240103"),
        ("20240104", "20240104"),
    ]


def test_a_day_of_ticks_too_large_is_halved_by_time(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    terminal.plays(answer(570, b"too large"), ok(HEADER + rows(1)), answer(472, b"No data found for your request"))
    assert sizes(history(client, request_of_a_day)) == [1]
    spans = [(params["start_time"], params["end_time"]) for _, params in terminal.asked]
    assert spans == [
        ("09:30:00.000", "16:00:00.000"),
        ("09:30:00.000", "12:44:59.999"),
        ("12:45:00.000", "16:00:00.000"),
    ]


def test_a_minute_of_ticks_and_a_day_of_bars_are_too_large_for_good(
    client: ThetaClient, terminal: CannedTerminal
) -> None:
    terminal.plays(answer(570, b"too large"))
    minute = window(DAY, start_time=time(9, 30), end_time=time(9, 31))
    for request in (HistoryRequest("trade", "AAPL", minute), HistoryRequest("ohlc", "AAPL", window(DAY), "1m")):
        with pytest.raises(LargeRequest):
            list(history(client, request))
    assert len(terminal.asked) == 2


def test_halves_without_any_data_are_no_data(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    terminal.plays(answer(570, b"too large"), answer(472, b"No data found for your request"))
    with pytest.raises(NoData, match="472"):
        list(history(client, request_of_a_day))
    assert len(terminal.asked) == 3


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (answer(472, b"No data found for your request"), NoData),
        (ok(b"No data found for your request"), NoData),
        (ok(b"<html>Oops</html>"), VendorAnswerMalformed),
        (ok(b""), VendorAnswerMalformed),
        (answer(204, b""), StoculusError),
    ],
)
def test_what_will_not_change_is_raised_at_once(
    client: ThetaClient,
    terminal: CannedTerminal,
    request_of_a_day: HistoryRequest,
    script: Step,
    error: type[StoculusError],
) -> None:
    terminal.plays(script)
    with pytest.raises(error, match="stock/history/quote AAPL tick 2024-01-02"):
        list(history(client, request_of_a_day))
    assert len(terminal.asked) == 1


def test_a_stolen_session_stops_all_requests_until_the_terminal_is_back(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    stolen = b"Invalid session ID. This can occur if more than one terminal is running."
    terminal.status = "UNVERIFIED"
    terminal.plays(answer(478, stolen), ok(HEADER + rows(1)))
    for _ in range(3):
        with pytest.raises(SessionTaken, match="more than one terminal"):
            list(history(client, request_of_a_day))
    assert (len(terminal.asked), terminal.status_probes) == (1, 2)
    terminal.status = "CONNECTED"
    assert sizes(history(client, request_of_a_day)) == [1]


def test_a_403_names_the_tiers_and_corrects_the_setting(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    text = b"Requesting a stock endpoint requiring a standard subscription, but you only have a VALUE subscription."
    terminal.plays(answer(403, text))
    with pytest.raises(TierTooLow, match=r"tier \(value\) may not read .*; needed: standard"):
        list(history(client, request_of_a_day))
    assert client.tier is Tier.VALUE


def test_threads_share_the_accounts_concurrency(terminal: CannedTerminal, request_of_a_day: HistoryRequest) -> None:
    terminal.plays(ok(HEADER + rows(1), chunked=True))
    with ThetaClient(terminal.url, "value") as client:
        threads = [threading.Thread(target=lambda: list(history(client, request_of_a_day))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(terminal.asked) == 8
    assert terminal.most_under_way <= 2


@pytest.mark.parametrize("script", [(hang,), (send(ROW_HEAD + HEADER + rows(*range(5))), hang)])
def test_a_silent_wait_ends_when_aborted(
    terminal: CannedTerminal, request_of_a_day: HistoryRequest, script: tuple[Step, ...]
) -> None:
    terminal.plays(script)
    aborted = threading.Event()
    threading.Timer(0.1, aborted.set).start()
    with ThetaClient(terminal.url, "pro", idle_timeout_s=1000) as client, pytest.raises(Cancelled):
        list(client.history(request_of_a_day, QUOTE, block_bytes=40, aborted=aborted))


def test_closing_the_stream_early_frees_its_slot(terminal: CannedTerminal, request_of_a_day: HistoryRequest) -> None:
    terminal.plays((send(ROW_HEAD + HEADER + rows(*range(5))), hang))
    with ThetaClient(terminal.url, "free") as client:
        for _ in range(3):
            blocks = history(client, request_of_a_day)
            next(blocks)
            blocks.close()  # type: ignore[attr-defined]


def test_a_cut_body_is_a_bad_row_only_where_that_is_tolerated(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    terminal.plays(ok(HEADER + rows(1) + b"2024-01-02T09:3"))
    with pytest.raises(VendorBodyCut, match="inside line 3"):
        list(history(client, request_of_a_day))
    blocks = list(history(client, request_of_a_day, tolerate_cut=True))
    assert [bad.raw for block in blocks for bad in block.bad_rows] == [b"2024-01-02T09:3"]


def test_lists_and_calendar_are_read(client: ThetaClient, terminal: CannedTerminal) -> None:
    terminal.plays(
        ok(b'symbol\r\n"A"\r\n""\r\nBRK.B\r\n\r\n'),
        ok(b"date\r\n2016-08-17\r\n2016-08-16\r\n"),
        ok(b"type,open,close\r\nfull_close,,\r\n"),
        ok(b"type,open,close\r\nopen,09:30:00,16:00:00\r\n"),
        ok(b"date,type,open,close\r\n2024-12-24,early_close,09:30:00,13:00:00\r\n2024-12-25,full_close,,\r\n"),
    )
    assert client.symbols() == {"A", "BRK.B"}
    assert client.dates("trade", "BRK.B") == [date(2016, 8, 16), date(2016, 8, 17)]
    assert client.calendar_day(date(2024, 12, 25)) == CalendarDay("full_close", None, None)
    assert client.calendar_today() == CalendarDay("open", time(9, 30), time(16))
    assert client.year_holidays(2024) == {
        date(2024, 12, 24): CalendarDay("early_close", time(9, 30), time(13)),
        date(2024, 12, 25): CalendarDay("full_close", None, None),
    }
    assert terminal.asked == [
        ("/v3/stock/list/symbols", {}),
        ("/v3/stock/list/dates/trade", {"symbol": "BRK.B"}),
        ("/v3/calendar/on_date", {"date": "20241225"}),
        ("/v3/calendar/today", {}),
        ("/v3/calendar/year_holidays", {"year": "2024"}),
    ]


def test_option_lists_are_read_sorted_without_impossible_entries(client: ThetaClient, terminal: CannedTerminal) -> None:
    expiration = date(2024, 1, 19)
    terminal.plays(
        ok(b'symbol\r\n"SPX"\r\n" "\r\nBRK/B\r\n\r\n'),
        ok(b'symbol,expiration\r\n"SPXW","2024-01-19"\r\n"SPXW","1882-01-01"\r\n"SPXW","2024-01-05"\r\n\r\n'),
        ok(b"symbol,strike\r\nSPXW,80.000\r\nSPXW,128.500\r\nSPXW,4.000\r\n"),
        ok(
            b"symbol,expiration,strike,right\r\nSPXW,2024-01-19,80.000,PUT\r\nSPXW,2024-01-19,80.000,CALL\r\n"
            b"SPXW,2024-01-19,4.000,PUT\r\nSPXW,1882-01-01,4.000,PUT\r\nSPXW,2024-01-05,900.000,PUT\r\n"
        ),
        ok(b"date\r\n2024-01-03\r\n2024-01-02\r\n"),
        ok(b"symbol,expiration,strike,right\r\nSPXW,2024-01-19,80.000,PUT\r\n"),
    )
    assert client.option_roots() == {"SPX", "BRK/B"}
    assert client.option_expirations("SPXW") == [date(2024, 1, 5), expiration]
    assert client.option_strikes("SPXW", expiration) == [4_000, 80_000, 128_500]
    assert client.option_contracts("quote", "SPXW", DAY) == [
        OptionContract("SPXW", date(2024, 1, 5), 900_000, "put"),
        OptionContract("SPXW", expiration, 4_000, "put"),
        OptionContract("SPXW", expiration, 80_000, "call"),
        OptionContract("SPXW", expiration, 80_000, "put"),
    ]
    assert client.option_dates("trade", "SPXW", expiration) == [date(2024, 1, 2), date(2024, 1, 3)]
    assert client.option_contracts("trade", "SPXW", DAY, 7) == [OptionContract("SPXW", expiration, 80_000, "put")]
    assert terminal.asked == [
        ("/v3/option/list/symbols", {}),
        ("/v3/option/list/expirations", {"symbol": "SPXW"}),
        ("/v3/option/list/strikes", {"symbol": "SPXW", "expiration": "20240119"}),
        ("/v3/option/list/contracts/quote", {"symbol": "SPXW", "date": "20240102"}),
        (
            "/v3/option/list/dates/trade",
            {"symbol": "SPXW", "expiration": "20240119", "strike": "*", "right": "both"},
        ),
        ("/v3/option/list/contracts/trade", {"symbol": "SPXW", "date": "20240102", "max_dte": "7"}),
    ]


def test_a_day_without_contracts_is_no_data(client: ThetaClient, terminal: CannedTerminal) -> None:
    terminal.plays(answer(472, b"No data found for your request. Note: Index options have special symbols."))
    with pytest.raises(NoData, match="option/list/contracts/quote SPX 20240102"):
        client.option_contracts("quote", "SPX", DAY)


def test_a_list_that_can_be_aborted_is_as_patient_as_history(
    client: ThetaClient, terminal: CannedTerminal, naps: Naps
) -> None:
    terminal.plays(*[answer(429, b"busy")] * 6, ok(b"symbol\r\nSPX\r\n"))
    assert client.option_roots(threading.Event()) == {"SPX"}
    assert len(naps.seconds) == 6


def test_an_option_day_too_large_gives_each_contract_in_order_with_continuous_lines(
    client: ThetaClient, terminal: CannedTerminal
) -> None:
    terminal.plays(
        answer(570, b"too large"),
        answer(570, b"too large"),
        ok(HEADER + rows(1, 2)),
        ok(HEADER + rows(3)),
        ok(HEADER + rows(4, 5)),
    )
    request = OptionRequest("quote", "SPXW", window(DAY), date(2024, 1, 19), interval="1h")
    blocks = list(client.history(request, QUOTE, block_bytes=40, aborted=threading.Event()))
    assert sizes(iter(blocks)) == [1, 2, 3, 4, 5]
    assert [line for block in blocks for line in block.lines.to_pylist()] == [2, 3, 4, 5, 6]
    assert [(params["right"], params["start_time"], params["end_time"]) for _, params in terminal.asked] == [
        ("both", "09:30:00.000", "16:00:00.000"),
        ("call", "09:30:00.000", "16:00:00.000"),
        ("call", "09:30:00.000", "12:29:59.999"),
        ("call", "12:30:00.000", "16:00:00.000"),
        ("put", "09:30:00.000", "16:00:00.000"),
    ]


def test_the_status_is_the_word_not_the_code(client: ThetaClient, terminal: CannedTerminal) -> None:
    terminal.status = "UNVERIFIED"
    assert client.status() == "UNVERIFIED"
    assert terminal.asked == []


def test_types_are_the_ones_asked_for(
    client: ThetaClient, terminal: CannedTerminal, request_of_a_day: HistoryRequest
) -> None:
    terminal.plays(ok(HEADER + rows(7)))
    columns = pa.schema([pa.field("bid", pa.float64())]).append(pa.field("bid_size", pa.int32()))
    [block] = client.history(request_of_a_day, columns, block_bytes=40, aborted=threading.Event())
    assert block.batch.schema == columns
    assert block.batch.to_pylist() == [{"bid": 1.5, "bid_size": 7}]


@pytest.mark.parametrize(
    ("script", "status"),
    [
        (ok(HEADER + rows(1)), "200"),
        (answer(472, b"No data"), "472"),
        (reset, "vendor_unreachable"),
        ((send(ROW_HEAD + HEADER + rows(1)), close), "vendor_body_cut"),
        (ok(b"<html>"), "vendor_answer_malformed"),
    ],
)
def test_each_request_is_told_of_once_with_how_it_ended(
    terminal: CannedTerminal, request_of_a_day: HistoryRequest, script: Step, status: str
) -> None:
    terminal.plays(script)
    told: list[tuple[str, str]] = []
    observe = lambda endpoint, how, _seconds: told.append((endpoint, how))  # noqa: E731
    with ThetaClient(terminal.url, "pro", budgets=short_budgets(0), observe=observe) as client:
        with suppress(StoculusError):
            sizes(history(client, request_of_a_day))
        assert (client.under_way, client.waiting) == (0, 0)

    assert told == [("stock/history/quote", status)]


def test_an_aborted_request_is_told_of_as_cancelled(terminal: CannedTerminal, request_of_a_day: HistoryRequest) -> None:
    terminal.plays(hang)
    told: list[str] = []
    aborted = threading.Event()
    with ThetaClient(terminal.url, "free", observe=lambda _, how, __: told.append(how)) as client:
        threading.Timer(0.1, aborted.set).start()
        with pytest.raises(Cancelled):
            list(client.history(request_of_a_day, QUOTE, block_bytes=40, aborted=aborted))

    assert told == ["cancelled"]


def test_every_request_says_which_program_asks(terminal: CannedTerminal, request_of_a_day: HistoryRequest) -> None:
    terminal.plays(ok(HEADER + rows(1)))
    with ThetaClient(terminal.url, "pro", user_agent="stoculus-live-stream/1.0") as client:
        list(history(client, request_of_a_day))
        client.status()

    assert terminal.agents == {"stoculus-live-stream/1.0"}
