"""The elements of `data`: which instruments of an asset, with which schema."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WrapValidator, field_validator, model_validator

from stoculus.errors import InvalidRequest
from stoculus.instruments import OptionContract, Stock, parse_root
from stoculus.located import Located
from stoculus.records.catalog import INTERVAL_US, RECORDS, parse_schema
from stoculus.selection import ChainSelection, refuse_unknown

MAX_TOPICS: Final = 1000

_CONTRACT = re.compile(r"contracts\[(\d+)\]")
_INDEX = re.compile(r"\[\d+\]")
_OF_ALL: Final = {"start", "end", "session", "warmup", "keep_empty_bars"}
_OF_SELECTION: Final = {"schema", "interval", *ChainSelection.model_fields}


def few_enough(count: int, field: str) -> None:
    """Raise InvalidRequest for more topics than a request may have."""
    if count > MAX_TOPICS:
        raise InvalidRequest(
            f"{count} symbols are {count} topics; a request has at most {MAX_TOPICS}.",
            remedy="Split it into several.",
            field=field,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """What a selection asks of one topic: `chosen` are the fields of a task, `field` is where that stands in it.

    `places` says for each contract of the task which one of the selection it is.
    """

    field: str
    chosen: dict[str, Any]
    places: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of which selection of a request asks for something; the selection by its path, such as `data[0]`."""

    selection: str
    part: Part

    @property
    def field(self) -> str:
        """The field of the request that asks for it: `data[0].symbols[1]`."""
        return f"{self.selection}.{self.part.field}"

    def field_of(self, path: str) -> str:
        """The field of the request that a field of what a service is told comes from: `expirations` is
        `data[2].expirations`."""
        name = re.split(r"[.\[]", path)[0]
        if name in _OF_ALL:
            return name
        if (named := _CONTRACT.match(path)) and int(named[1]) < len(self.part.places):
            return f"{self.selection}.contracts[{self.part.places[int(named[1])]}]"
        if name in _OF_SELECTION:
            # A service is told days and strikes in order: their places in the request are others.
            return f"{self.selection}.{_INDEX.sub('', path)}"
        return self.field


class StockSelection(BaseModel):
    """Stocks with one schema: a topic for each symbol. `schema` and `interval` are kept apart: `ohlcv`, `1m`."""

    model_config = ConfigDict(extra="forbid")

    asset: Literal["stock"]
    symbols: list[str] = Field(min_length=1)
    schema_name: str = Field(alias="schema", description=", ".join(RECORDS["stock"]))
    interval: str | None = Field(
        default=None, description=f"ohlcv and quote: {', '.join(INTERVAL_US)}; a quote without one is a tick"
    )

    @field_validator("symbols")
    @classmethod
    def _tickers(cls, symbols: list[str]) -> list[str]:
        few_enough(len(symbols), "symbols")
        return [Stock.parse(symbol, field=f"symbols[{n}]").ticker for n, symbol in enumerate(symbols)]

    @model_validator(mode="after")
    def _canonical(self) -> Self:
        schema = parse_schema(self.schema_name, self.interval)
        self.schema_name, self.interval = schema.kind, schema.interval
        return self

    def parts(self) -> Iterator[Part]:
        """One for each symbol."""
        for n, symbol in enumerate(self.symbols):
            yield Part(f"symbols[{n}]", {"ticker": symbol})

    def canonical(self) -> dict[str, Any]:
        """As JSON, in the one form that equal selections share."""
        return _json(self) | {"symbols": sorted(self.symbols)}


class OptionSelection(ChainSelection):
    """Contracts of a chain with one schema: a topic for each root. `root` may be left out where contracts are named."""

    model_config = ConfigDict(extra="forbid", frozen=False)

    asset: Literal["option"]
    root: str | None = Field(default=None, description="as OPRA spells it: SPXW is another root than SPX")
    schema_name: str = Field(alias="schema", description=", ".join(RECORDS["option"]))
    interval: str | None = Field(
        default=None, description="ohlcv, quote, greeksfirst, greeksall and iv; a quote without one is a tick"
    )

    @model_validator(mode="after")
    def _canonical(self) -> Self:
        schema = parse_schema(self.schema_name, self.interval, asset="option")
        self.schema_name, self.interval = schema.kind, schema.interval
        if self.root is not None:
            self.root = parse_root(self.root)
            self.check_root(self.root)
        elif self.contracts is None:
            raise InvalidRequest(
                "It is not said of which root.", remedy='Add it, such as "root": "SPXW".', field="root"
            )
        return self

    def parts(self) -> Iterator[Part]:
        """One for each root."""
        chosen = {name: getattr(self, name) for name in ChainSelection.model_fields}
        if self.contracts is None:
            yield Part("root", chosen | {"root": self.root})
            return
        places: dict[str, dict[OptionContract, int]] = {}
        for n, osi in enumerate(self.contracts):
            contract = OptionContract.parse(osi)
            places.setdefault(contract.root, {}).setdefault(contract, n)
        for root, place_of in places.items():
            own = sorted(place_of)
            where = "root" if self.root else f"contracts[{min(place_of.values())}]"
            one = chosen | {"root": root, "contracts": [contract.osi for contract in own]}
            yield Part(where, one, tuple(place_of[contract] for contract in own))

    def canonical(self) -> dict[str, Any]:
        """As JSON, in the one form that equal selections share: contracts need no root beside them."""
        if self.contracts is None:
            return _json(self)
        return _json(self, exclude={"root"}) | {"contracts": sorted(set(self.contracts))}


def _json(selection: BaseModel, exclude: Collection[str] = ()) -> dict[str, Any]:
    return selection.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=set(exclude))


_MODELS: Final[dict[str, type[StockSelection | OptionSelection]]] = {
    "stock": StockSelection,
    "option": OptionSelection,
}


def _by_asset(value: Any, _: Any) -> Any:
    """Read a selection by its asset. A union of pydantic's would put the asset into the path of an error."""
    if isinstance(value, StockSelection | OptionSelection):
        return value
    if not isinstance(value, dict):
        raise InvalidRequest("A selection is a JSON object.", remedy='Such as {"asset": "stock", …}.')
    asset = value.get("asset")
    model = _MODELS.get(asset) if isinstance(asset, str) else None
    if model is None:
        told = f"{str(asset)[:40]!r} is not an asset." if "asset" in value else "It is not said which asset."
        raise InvalidRequest(told, remedy=f"Use one of {', '.join(_MODELS)}.", field="asset")
    refuse_unknown(value, model, f"{'an' if asset == 'option' else 'a'} {asset} selection")
    return model.model_validate(value)


Selection = Annotated[
    Annotated[StockSelection | OptionSelection, Field(discriminator="asset")], WrapValidator(_by_asset), Located
]
"""An element of `data`."""
