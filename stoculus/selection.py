"""Which contracts of a chain a request is about."""

import difflib
import re
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WrapValidator,
    field_validator,
    model_validator,
)

from stoculus.errors import InvalidRequest
from stoculus.instruments import OptionContract, Right
from stoculus.located import Located

MOST_NAMED: Final = 5000
"""Strikes, expirations or contracts that one selection may name."""
MOST_DAYS: Final = 4000
MOST_AROUND_SPOT: Final = 1000
LEAST_STRIKE: Final = 0.001
MOST_STRIKE: Final = 99_999.999
"""Dollars: an OSI symbol has room for five digits and three decimals."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def day_of(value: Any) -> date:
    """A day as it is written in JSON; pydantic alone would take a number for seconds since 1970."""
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise InvalidRequest(f"{_shown(value)} is no day.", remedy="Write a day as 2024-01-02.")


def dollars_of(value: Any) -> float:
    """A strike as it is written in JSON: what the market lists has three decimals at the most."""
    is_number = type(value) in (int, float) and LEAST_STRIKE <= value <= MOST_STRIKE
    if is_number and abs(value * 1000 - round(value * 1000)) < 1e-6:
        return round(float(value), 3)
    raise InvalidRequest(
        f"{_shown(value)} is no strike.",
        remedy="A strike is a number of dollars, above 0 and below 100000, such as 4700 or 12.5; three decimals at the "
        "most.",
    )


def _count(low: int, high: int) -> BeforeValidator:
    def check(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise InvalidRequest(f"{_shown(value)} does not fit here.", remedy=f"Use a whole number, {low} to {high}.")

    return BeforeValidator(check)


def _osi(text: str) -> str:
    contract = OptionContract.parse(text, field="")
    if not contract.strike_thousandths:
        raise InvalidRequest(f"{contract.osi!r} has a strike of 0.", remedy="No such contract exists.")
    return contract.osi


Day = Annotated[date, BeforeValidator(day_of), Located]
Dollars = Annotated[float, Field(ge=LEAST_STRIKE, le=MOST_STRIKE), BeforeValidator(dollars_of), Located]
Days = Annotated[int, Field(ge=0, le=MOST_DAYS), _count(0, MOST_DAYS), Located]
Osi = Annotated[str, AfterValidator(_osi), Located]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpirationRange(_Part):
    """Expirations from `min` to `max`, both included."""

    min: Day
    max: Day

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_order(self.min, self.max)
        return self


class DayRange(_Part):
    """Calendar days from the trading day to the expiration, both included."""

    min: Days = 0
    max: Days

    @model_validator(mode="before")
    @classmethod
    def _is_a_range(cls, value: Any) -> Any:
        if isinstance(value, dict | cls):
            return value
        raise InvalidRequest(f"dte is not given as {_shown(value)}.", remedy='Give {"min": 0, "max": 7}.')

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_order(self.min, self.max)
        return self


class DaysToExpiration(_Part):
    """Expirations near each trading day: `{"dte": {"min": 0, "max": 7}}`."""

    dte: Annotated[DayRange, Located]


class StrikeRange(_Part):
    """Strikes from `min` to `max` dollars, both included."""

    min: Dollars
    max: Dollars

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_order(self.min, self.max)
        return self


class AroundSpot(_Part):
    """The `around_spot` strikes above and below the underlying's price and the one at it, each day: the vendor's
    `strike_range`."""

    around_spot: Annotated[int, Field(ge=1, le=MOST_AROUND_SPOT), _count(1, MOST_AROUND_SPOT), Located]


_DAY_LIST: Final = TypeAdapter(list[Day])
_STRIKE_LIST: Final = TypeAdapter(list[Dollars])
EXPIRATIONS: Final = 'a list of days, {"min": day, "max": day}, {"dte": {"min": 0, "max": 7}} or "all"'
STRIKES: Final = 'a list of dollars, {"min": x, "max": y}, {"around_spot": n} or "all"'


def _expirations(value: Any, _: Any) -> Any:
    return _one_of(value, "Expirations", EXPIRATIONS, _DAY_LIST, (DaysToExpiration, ExpirationRange))


def _strikes(value: Any, _: Any) -> Any:
    return _one_of(value, "Strikes", STRIKES, _STRIKE_LIST, (AroundSpot, StrikeRange))


def _one_of(value: Any, what: str, forms: str, values: TypeAdapter[Any], parts: Sequence[type[_Part]]) -> Any:
    """Read one of the forms. A union of pydantic's would complain of all forms when one is meant."""
    if value == "all" or isinstance(value, tuple(parts)):
        return value
    if isinstance(value, list | tuple):
        return sorted(set(values.validate_python(_some(value))))
    for part in parts:
        if isinstance(value, dict) and not part.model_fields.keys().isdisjoint(value):
            refuse_unknown(value, part, "this form")
            return part.model_validate(value)
    raise InvalidRequest(f"{what} are not given as {_shown(value)}.", remedy=f"Give {forms}.")


Expirations = Annotated[
    list[Day] | ExpirationRange | DaysToExpiration | Literal["all"], WrapValidator(_expirations), Located
]
Strikes = Annotated[list[Dollars] | StrikeRange | AroundSpot | Literal["all"], WrapValidator(_strikes), Located]


class ChainSelection(BaseModel):
    """Contracts of a root: by `expirations`, `strikes` and `right`, or one by one in `contracts` (OSI symbols).

    Days and strikes are kept in order, each once; contracts as they were given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    expirations: Expirations | None = Field(default=None, description=EXPIRATIONS)
    strikes: Strikes = Field(default="all", description=STRIKES)
    right: Literal["call", "put", "both"] = "both"
    contracts: list[Osi] | None = Field(default=None, description="OSI symbols, instead of all of the above")

    @field_validator("contracts")
    @classmethod
    def _few_contracts(cls, contracts: list[str] | None) -> list[str] | None:
        return contracts if contracts is None else list(_some(contracts, "contracts"))

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.contracts is None and self.expirations is None:
            raise InvalidRequest(
                "It is not said which expirations are wanted.",
                remedy=f"Give {EXPIRATIONS}; or contracts as OSI symbols.",
                field="expirations",
            )
        extra = [
            ("expirations", self.expirations, None),
            ("strikes", self.strikes, "all"),
            ("right", self.right, "both"),
        ]
        for field, given, default in extra:
            if self.contracts is not None and given != default:
                raise InvalidRequest(
                    f"Contracts have {field} in their symbols.", remedy=f"Leave {field} or contracts out.", field=field
                )
        return self

    def check_root(self, root: str) -> None:
        """Raise InvalidRequest for a named contract of another root."""
        for n, osi in enumerate(self.contracts or ()):
            if OptionContract.parse(osi).root != root:
                raise InvalidRequest(
                    f"{osi!r} is no contract of {root}.",
                    remedy="Ask for each root on its own.",
                    field=f"contracts[{n}]",
                )

    @cached_property
    def named(self) -> list[OptionContract]:
        """The contracts that are named one by one, each once, in order."""
        return sorted({OptionContract.parse(osi) for osi in self.contracts or ()})

    @property
    def last_expiration(self) -> date | None:
        """The day after which nothing of it is traded; None: it has no such day."""
        if self.contracts is not None or isinstance(self.expirations, list):
            return max(self._named_days)
        return self.expirations.max if isinstance(self.expirations, ExpirationRange) else None

    @property
    def rights(self) -> tuple[Right, ...]:
        """Calls, puts, or both."""
        return ("call", "put") if self.right == "both" else (self.right,)

    def has_expiration(self, expiration: date, day: date) -> bool:
        """Whether contracts of the expiration are wanted on a trading day, as far as expirations go."""
        wanted = self.expirations
        if self.contracts is not None or isinstance(wanted, list):
            return expiration in self._named_days
        if isinstance(wanted, ExpirationRange):
            return wanted.min <= expiration <= wanted.max
        if isinstance(wanted, DaysToExpiration):
            return wanted.dte.min <= (expiration - day).days <= wanted.dte.max
        return True

    def has_strike(self, strike_thousandths: int) -> bool:
        """Whether the strike is wanted; always True for `around_spot`, which only the vendor can tell."""
        wanted = self.strikes
        if isinstance(wanted, list):
            return strike_thousandths in self._named_thousandths
        if isinstance(wanted, StrikeRange):
            return round(wanted.min * 1000) <= strike_thousandths <= round(wanted.max * 1000)
        return True

    def has(self, contract: OptionContract, day: date) -> bool:
        """Whether a contract is wanted on a trading day. `around_spot` is the vendor's to tell."""
        if self.contracts is not None:
            return contract in self._named_contracts
        return (
            contract.right in self.rights
            and self.has_expiration(contract.expiration, day)
            and self.has_strike(contract.strike_thousandths)
        )

    @cached_property
    def _named_contracts(self) -> frozenset[OptionContract]:
        return frozenset(self.named)

    @cached_property
    def _named_days(self) -> frozenset[date]:
        days = self.expirations if isinstance(self.expirations, list) else ()
        return frozenset({*days, *(contract.expiration for contract in self.named)})

    @cached_property
    def _named_thousandths(self) -> frozenset[int]:
        return (
            frozenset(round(strike * 1000) for strike in self.strikes)
            if isinstance(self.strikes, list)
            else frozenset()
        )


def refuse_unknown(value: dict[Any, Any], model: type[BaseModel], what: str) -> None:
    """Raise InvalidRequest for a key that the model has not, with the nearest that it has."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else f"Leave it out; known are {', '.join(known)}."
            raise InvalidRequest(f"{_shown(key)} is not a field of {what}.", remedy=remedy, field=str(key))


def _some(values: Sequence[Any], field: str = "") -> Sequence[Any]:
    if not values:
        raise InvalidRequest("The list is empty.", remedy="Name at least one, or leave it out.", field=field)
    if len(values) > MOST_NAMED:
        remedy = "Use a range, or several backtests."
        raise InvalidRequest(f"{len(values)} are too many: {MOST_NAMED} may be named.", remedy=remedy, field=field)
    return values


def _check_order(low: date | float, high: date | float) -> None:
    if low > high:  # type: ignore[operator]  # both are of one kind
        raise InvalidRequest(f"min {low} is above max {high}.", remedy="Swap them.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
