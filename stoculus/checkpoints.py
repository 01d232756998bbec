"""Checkpoints: how far a task has come; at its end the receipt. The values of the topic `stoculus.checkpoints`.

Key: task id. Value: JSON. A checkpoint stands in the same Kafka transaction as the rows that it counts.

The hash proves what a topic holds. Each New York day of records is hashed by columns, and the days are chained:

    day    = SHA-256(SHA-256(keys) + SHA-256(event times) + SHA-256(body lengths) + SHA-256(bodies))
    hash_n = SHA-256(hash_n-1 + day)            hash_0 = 32 zero bytes

keys: the record keys, concatenated; event times: int64 little-endian microseconds; body lengths: int32 little-endian;
bodies: Avro bodies without the registry header, concatenated.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

NO_HASH = "0" * 64


class VendorRequest(BaseModel):
    """Vendor parameters as sent: those that all requests of the task have in common, so no days and no contracts."""

    path: str
    params: dict[str, str]


class Chunk(BaseModel):
    """The chunk that is being written: what is done of it, so that a new runner can prove it and go on."""

    start: date
    end: date
    records: int = Field(default=0, description="records of the chunk on the topic")
    empty_bars: int = Field(default=0, description="empty rows of the chunk left out")
    bad_rows: int = Field(default=0, description="malformed rows of the chunk in quarantine")
    digest: str = Field(default="", description="hash of those records, as the module says, open day included")


class Failure(BaseModel):
    """Why a task failed."""

    code: str
    message: str
    remedy: str = ""


class Checkpoint(BaseModel):
    """How far a task has come. With state `completed` it is the task's receipt."""

    model_config = ConfigDict(extra="ignore")

    task_id: str
    backtest_id: str
    record: str = Field(description="full name of the record type")
    schema_name: str = Field(alias="schema", serialization_alias="schema")
    symbol: str
    state: Literal["running", "completed", "failed"]
    attempt: int
    records: int = 0
    empty_bars: int = Field(default=0, description="empty rows left out")
    bad_rows: int = 0
    first_ts_event: datetime | None = None
    last_ts_event: datetime | None = None
    last_offset: int | None = Field(default=None, description="offset of the last record, once completed")
    complete_until: datetime | None = Field(default=None, description="up to this market time the topic is complete")
    hash: str = Field(default=NO_HASH, description="chained hash of the closed chunks' days")
    chunk: Chunk | None = Field(default=None, description="the chunk that is half written")
    chunks_done: int = 0
    chunks_total: int = 0
    rows_expected: int = Field(default=0, description="estimate, for progress only")
    days: dict[date, int] = Field(default_factory=dict, description="records per trading day")
    empty_days: dict[date, str] = Field(default_factory=dict, description="trading days without records, and why")
    request: VendorRequest | None = None
    warnings: list[str] = Field(default_factory=list)
    failure: Failure | None = None
    updated_at: datetime

    def to_json(self) -> bytes:
        """The record value."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode()
