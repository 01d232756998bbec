"""A vendor answer that is no data: a status and a plain-text body (rest.md 7)."""

from stoculus.errors import Terminal

NO_DATA_TEXT = "No data found for your request"
SESSION_TAKEN_TEXT = "Invalid session ID. This can occur if more than one terminal is running."
JETTY_ERROR_PAGE = (
    '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=ISO-8859-1"/>\n'
    "<title>Error 500 Server Error</title>\n</head>\n<body><h2>HTTP ERROR 500 Server Error</h2>\n"
    "<table>\n<tr><th>CAUSED BY:</th><td>java.lang.NullPointerException</td></tr>\n</table>\n"
    '<hr/><a href="https://jetty.org/">Powered by Jetty:// 12.0.14</a><hr/>\n</body>\n</html>\n'
)
INDEX_NOTE = ". Note: Index options have special symbols."
_INDEX_LIKE = "DJX MRUT NDX NDXP NQX OEX RUT RUTW SPX SPXPM SPXQ SPXW VIX VIXW XEO XND XSP"
# Exact where rest.md 7.2 has a recorded text; the others are worded after the code's name.
TEXTS = {
    400: "Invalid request parameters",
    403: "Requesting a stock endpoint requiring a professional subscription, but you only have a STANDARD subscription."
    " Please consider upgrading!",
    404: "No implementation for this path",
    429: "Too many concurrent requests",
    470: "General error",
    471: "Insufficient subscription",
    472: NO_DATA_TEXT,
    473: "Invalid parameters",
    474: "Disconnected from MDDS",
    475: "The terminal could not parse the request",
    476: "Requests must come from one IP address",
    477: "Page not found",
    478: SESSION_TAKEN_TEXT,
    500: JETTY_ERROR_PAGE,
    503: "Service unavailable",
    570: "Too much data requested",
    571: "Server is starting",
    572: "Uncaught server error",
}


class Refusal(Terminal):
    """The request ends with `status` and `body` instead of rows."""

    def __init__(self, status: int, body: str | None = None) -> None:
        self.status = status
        self.body = TEXTS.get(status, "") if body is None else body
        super().__init__(f"{status}: {self.body[:80]}")


def no_data(symbol: str = "") -> Refusal:
    """472: nothing found; for roots like an index with a note."""
    return Refusal(472, NO_DATA_TEXT + INDEX_NOTE if symbol in _INDEX_LIKE.split() else None)
