"""What a tester turns over `POST /__stream`: where the real terminal's behaviour is not known for sure, or varies."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Switches(BaseModel):
    """The defaults are stream.md's working rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status_period_s: float = Field(default=1, gt=0)
    login_s: float = Field(default=1, ge=0, description="from UNVERIFIED to CONNECTED")
    eager_login: bool = Field(default=False, description="CONNECTED before the first subscription, as older builds")
    answer_delay_s: float = Field(default=0, ge=0)
    strict: bool = Field(default=False, description="take JSON with integers only")
    malformed: Literal["ignore", "close"] = "ignore"
    second_client: Literal["replace", "broadcast", "starve"] = "replace"
    restored: Literal["all", "half", "none"] = Field(
        default="all", description="subscriptions that come back after the terminal lost the vendor"
    )
    ohlc: bool = Field(default=True, description="an OHLC before each TRADE; for subscriptions made from now on")
    states: bool = Field(default=True, description="STATE START and STOP at open and close")
