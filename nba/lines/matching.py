"""Whose line a row is. Pure: who there is is passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from nba.lines.errors import LeftOut, Reason
from nba.lines.reading import LineRow
from nba.stats import MARKETS, Market

__all__ = ["Line", "Matched", "Repeated", "match_lines"]

_GENERATIONS: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "v"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a known player and market; `row` as in LineRow, prices are American odds."""

    row: int
    game_date: date
    player_id: int
    player_name: str
    market: Market
    line: float
    over_price: float | None
    under_price: float | None


@dataclass(frozen=True, slots=True)
class Repeated:
    """A row that says again what `first_row` says; only that one counts, with its prices."""

    row: int
    first_row: int
    other_prices: bool


@dataclass(frozen=True, slots=True)
class Matched:
    """The lines that can be compared, and what became of the other rows; all in file order."""

    lines: tuple[Line, ...]
    left_out: tuple[LeftOut, ...]
    repeated: tuple[Repeated, ...]


class _Unplaced(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _People:
    """Players by id and by every spelling of their names."""

    def __init__(self, people: Mapping[int, str], name_key: Callable[[str], str]) -> None:
        self._people = people
        self._key = name_key
        self._by_name: dict[str, list[int]] = {}
        self._by_short_name: dict[str, list[int]] = {}
        for player_id, name in people.items():
            key = name_key(name)
            self._by_name.setdefault(key, []).append(player_id)
            self._by_short_name.setdefault(_without_generation(key), []).append(player_id)

    def find(self, row: LineRow) -> int:
        named = self._named(row.player_name)
        if row.player_id is not None:
            if row.player_id not in self._people:
                raise _Unplaced(Reason.UNKNOWN_PLAYER, f"no player has the id {row.player_id}")
            if named and row.player_id not in named:
                name = self._people[row.player_id]
                detail = f"id {row.player_id} is {name}, not {row.player_name!r}"
                raise _Unplaced(Reason.AMBIGUOUS_PLAYER, detail)
            return row.player_id
        if not named:
            raise _Unplaced(Reason.UNKNOWN_PLAYER, f"no player is called {row.player_name!r}")
        if len(named) > 1:
            ids = " or ".join(str(one) for one in sorted(named))
            detail = f"{row.player_name!r} may be player {ids}; add the column player_id"
            raise _Unplaced(Reason.AMBIGUOUS_PLAYER, detail)
        return named[0]

    def name(self, player_id: int) -> str:
        return self._people[player_id]

    def _named(self, name: str) -> list[int]:
        key = self._key(name)
        if not key:
            return []
        # Bookmakers drop the Jr. of a name, or add one that the league does not print.
        exact = self._by_name.get(key)
        return exact or self._by_short_name.get(_without_generation(key), [])


def match_lines(
    rows: Sequence[LineRow],
    people: Mapping[int, str],
    name_key: Callable[[str], str],
) -> Matched:
    """Give each row its player.

    `people` are names by player id, `name_key` makes of a name what two spellings of it share. A
    row without a player or a market is left out with its reason. Rows with the same date, player,
    market and line count once.
    """
    known = _People(people, name_key)
    lines: dict[tuple[date, int, Market, float], Line] = {}
    left_out: list[LeftOut] = []
    repeated: list[Repeated] = []
    for row in rows:
        try:
            line = _line(row, known)
        except _Unplaced as unplaced:
            left_out.append(LeftOut(row.row, unplaced.reason, str(unplaced)))
            continue
        key = (line.game_date, line.player_id, line.market, line.line)
        first = lines.setdefault(key, line)
        if first is not line:
            prices = (first.over_price, first.under_price)
            other_prices = prices != (line.over_price, line.under_price)
            repeated.append(Repeated(line.row, first.row, other_prices))
    return Matched(tuple(lines.values()), tuple(left_out), tuple(repeated))


def _line(row: LineRow, known: _People) -> Line:
    if row.market is None:
        detail = f"{row.market_text!r} is not projected; known: {', '.join(MARKETS)}"
        raise _Unplaced(Reason.UNKNOWN_MARKET, detail)
    player_id = known.find(row)
    return Line(
        row=row.row,
        game_date=row.game_date,
        player_id=player_id,
        player_name=known.name(player_id),
        market=row.market,
        line=row.line,
        over_price=row.over_price,
        under_price=row.under_price,
    )


def _without_generation(key: str) -> str:
    words = key.split()
    return " ".join(words[:-1]) if len(words) > 1 and words[-1] in _GENERATIONS else key
