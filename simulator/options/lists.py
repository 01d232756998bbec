"""Lists of roots, expirations, strikes, days and contracts (rest.md 5)."""

from collections.abc import Iterable, Sequence
from datetime import date

from simulator import tables
from simulator.clock import Clock
from simulator.endpoints import List
from simulator.formats import Block, Columns
from simulator.options import Kind, OptionSource
from simulator.options.blocks import contract_texts, strike_text
from simulator.options.parameters import chain, root_of, whole_number
from simulator.options.tables import CONTRACT, EXPIRATIONS, STRIKES
from simulator.parameters import Query, day, symbols
from simulator.reference import Answer


class OptionLists:
    """The endpoints that list what there is."""

    def __init__(self, source: OptionSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self.endpoints: dict[str, List] = {
            "option/list/symbols": self._symbols,
            "option/list/expirations": self._expirations,
            "option/list/strikes": self._strikes,
            "option/list/dates/trade": lambda query: self._dates(query, "trade"),
            "option/list/dates/quote": lambda query: self._dates(query, "quote"),
            "option/list/contracts/trade": lambda query: self._contracts(query, "trade"),
            "option/list/contracts/quote": lambda query: self._contracts(query, "quote"),
        }

    def _symbols(self, _: Query) -> Answer:
        return tables.SYMBOLS, [list(self._source.roots())]

    def _expirations(self, query: Query) -> Answer:
        found = [(root, str(each)) for root in self._roots(query) for each in self._source.expirations(root)]
        return _answer(EXPIRATIONS, found)

    def _strikes(self, query: Query) -> Answer:
        expiration = day(query, "expiration")
        strikes = [(root, each) for root in self._roots(query) for each in self._source.strikes(root, expiration)]
        return _answer(STRIKES, [(root, strike_text(strike)) for root, strike in strikes])

    def _dates(self, query: Query, kind: Kind) -> Answer:
        asked = chain(query, any_expiration=False)
        today = self._clock.now().date()
        expiration = day(query, "expiration")
        days: Iterable[date] = (each for each in self._source.dates(asked.root, expiration, kind) if each <= today)
        if asked.strike_thousandths is not None or len(asked.rights) == 1:
            days = (
                each
                for each in days
                if any(asked.holds(contract, each) for contract in self._source.contracts(asked.root, each, kind))
            )
        return tables.DATES, [[str(each) for each in days]]

    def _contracts(self, query: Query, kind: Kind) -> Answer:
        asked = day(query, "date")
        max_dte = whole_number(query, "max_dte", least=0)
        if asked > self._clock.now().date():
            return CONTRACT, []
        roots = self._roots(query) if query.get("symbol") else self._source.roots()
        found = (contract for root in roots for contract in self._source.contracts(root, asked, kind))
        return _answer(
            CONTRACT,
            [contract_texts(each) for each in found if max_dte is None or (each.expiration - asked).days <= max_dte],
        )

    def _roots(self, query: Query) -> Sequence[str]:
        asked = [root_of(symbol) for symbol in symbols(query)]
        return self._source.roots() if asked == ["*"] else asked


def _answer(columns: Columns, rows: Sequence[tuple[str, ...]]) -> tuple[Columns, Block]:
    return columns, [list(column) for column in zip(*rows, strict=True)]
