"""Which contracts of a chain a request is about."""

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from stoculus.errors import InvalidRequest
from stoculus.instruments import OptionContract, Right

MOST_NAMED = 5000
"""Strikes, expirations or contracts that one selection may name."""


def day_of(value: Any) -> Any:
    """A day as it is written in JSON; pydantic alone would take a number for seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and len(value) == 10):
        return value
    raise ValueError("a day is written as 2024-01-02")


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


def _thousandths(value: float) -> float:
    # What the market lists has three decimals at the most.
    if abs(value * 1000 - round(value * 1000)) > 1e-6:
        raise ValueError("a strike has at most three decimals")
    return round(value, 3)


Day = Annotated[date, BeforeValidator(day_of)]
Dollars = Annotated[float, BeforeValidator(_whole), Field(gt=0, lt=100_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpirationRange(_Part):
    """Expirations from `min` to `max`, both included."""

    min: Day
    max: Day

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_order(self.min, self.max, "expirations")
        return self


class DayRange(_Part):
    """Calendar days from the trading day to the expiration, both included."""

    min: int = Field(default=0, ge=0)
    max: int = Field(ge=0, le=4000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_order(self.min, self.max, "expirations.dte")
        return self


class DaysToExpiration(_Part):
    """Expirations near each trading day: `{"dte": {"min": 0, "max": 7}}`."""

    dte: DayRange


class StrikeRange(_Part):
    """Strikes from `min` to `max` dollars, both included."""

    min: Dollars
    max: Dollars

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_order(self.min, self.max, "strikes")
        return self


class AroundSpot(_Part):
    """The `around_spot` strikes above and below the underlying's price and the one at it, each day: the vendor's
    `strike_range`."""

    around_spot: int = Field(ge=1, le=1000)


Expirations = list[Day] | ExpirationRange | DaysToExpiration | Literal["all"]
Strikes = list[Dollars] | StrikeRange | AroundSpot | Literal["all"]


class ChainSelection(BaseModel):
    """Contracts of a root: by `expirations`, `strikes` and `right`, or one by one in `contracts` (OSI symbols)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expirations: Expirations | None = Field(
        default=None,
        description='a list of days, {"min": day, "max": day}, {"dte": {"min": 0, "max": 7}} or "all"',
    )
    strikes: Strikes = Field(
        default="all", description='a list of dollars, {"min": x, "max": y}, {"around_spot": n} or "all"'
    )
    right: Literal["call", "put", "both"] = "both"
    contracts: list[str] | None = Field(default=None, description="OSI symbols, instead of all of the above")

    @field_validator("contracts")
    @classmethod
    def _osi(cls, contracts: list[str] | None) -> list[str] | None:
        if contracts is None:
            return None
        _some(contracts, "contracts")
        parsed = {OptionContract.parse(text, field=f"contracts[{n}]") for n, text in enumerate(contracts)}
        return [contract.osi for contract in sorted(parsed)]

    @field_validator("expirations")
    @classmethod
    def _sorted_days(cls, value: Expirations | None) -> Expirations | None:
        return sorted(set(_some(value, "expirations"))) if isinstance(value, list) else value

    @field_validator("strikes")
    @classmethod
    def _sorted_dollars(cls, value: Strikes) -> Strikes:
        return (
            sorted({_thousandths(strike) for strike in _some(value, "strikes")}) if isinstance(value, list) else value
        )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.contracts is None) == (self.expirations is None):
            raise InvalidRequest(
                "A chain is selected by expirations or by contracts.",
                remedy='Name one of them, such as "expirations": ["2024-01-05"].',
                field="expirations",
            )
        if self.contracts is not None and (self.strikes != "all" or self.right != "both"):
            raise InvalidRequest(
                "Contracts have their strike and right in their symbols.",
                remedy="Leave strikes and right out.",
                field="strikes" if self.strikes != "all" else "right",
            )
        return self

    @property
    def named(self) -> list[OptionContract]:
        """The contracts that are named one by one, in order."""
        return [OptionContract.parse(osi) for osi in self.contracts or ()]

    @property
    def rights(self) -> tuple[Right, ...]:
        """Calls, puts, or both."""
        return ("call", "put") if self.right == "both" else (self.right,)

    def has_expiration(self, expiration: date, day: date) -> bool:
        """Whether contracts of the expiration are wanted on a trading day, as far as expirations go."""
        if self.contracts is not None:
            return any(contract.expiration == expiration for contract in self.named)
        wanted = self.expirations
        if isinstance(wanted, list):
            return expiration in wanted
        if isinstance(wanted, ExpirationRange):
            return wanted.min <= expiration <= wanted.max
        if isinstance(wanted, DaysToExpiration):
            return wanted.dte.min <= (expiration - day).days <= wanted.dte.max
        return True

    def has_strike(self, strike_thousandths: int) -> bool:
        """Whether the strike is wanted; always True for `around_spot`, which only the vendor can tell."""
        wanted = self.strikes
        if isinstance(wanted, list):
            return strike_thousandths in {round(strike * 1000) for strike in wanted}
        if isinstance(wanted, StrikeRange):
            return round(wanted.min * 1000) <= strike_thousandths <= round(wanted.max * 1000)
        return True

    def has(self, contract: OptionContract, day: date) -> bool:
        """Whether a contract is wanted on a trading day. `around_spot` is the vendor's to tell."""
        if self.contracts is not None:
            return contract.osi in self.contracts
        return (
            contract.right in self.rights
            and self.has_expiration(contract.expiration, day)
            and self.has_strike(contract.strike_thousandths)
        )


def _some(values: list[Any] | Any, field: str) -> Iterator[Any]:
    if not 0 < len(values) <= MOST_NAMED:
        raise InvalidRequest(f"{field} names {len(values)} values.", remedy=f"Name 1 to {MOST_NAMED}.", field=field)
    return iter(values)


def _check_order(low: date | float, high: date | float, field: str) -> None:
    if low > high:  # type: ignore[operator]  # both are of one kind
        raise InvalidRequest(f"{field}: min {low} is above max {high}.", remedy="Swap them.", field=field)
