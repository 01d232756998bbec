"""Backtests as files: a folder with a file for each day of each topic, and a manifest."""

from enum import StrEnum


class Format(StrEnum):
    """What the files are; also how their names end. `json`: an object a line."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"
