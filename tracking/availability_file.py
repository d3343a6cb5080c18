"""The owner's list as a table: whose row it is, and what it says. Pure but for the names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import pandas as pd

from nba.availability import Availability, PlayerAvailability
from tracking.errors import ResultsRejected, RowProblem, RowProblemKind
from tracking.frames import name_key

__all__ = ["AvailabilityRejected", "parse_availability"]

_ALIASES: Final[Mapping[str, str]] = {
    "player_id": "player_id",
    "player_name": "player_name",
    "player": "player_name",
    "name": "player_name",
    "team": "team",
    "status": "status",
    "from": "from",
    "from_date": "from",
    "until": "until",
    "until_date": "until",
    "note": "note",
}
_LONGEST_NOTE: Final = 200
_KINDS: Final = ", ".join(one.value for one in Availability)


class AvailabilityRejected(ResultsRejected):
    """A list of who is out was not taken; `problems` names every finding, in its order."""

    what = "import of who is out"


class _Unreadable(ValueError):
    def __init__(self, kind: RowProblemKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def parse_availability(
    frame: pd.DataFrame,
    people: Mapping[int, tuple[str, str | None]],
    today: date,
) -> list[PlayerAvailability]:
    """Every row of `frame`; `people` are (name, team) by player id, `today` is the default day.

    Columns, without regard to case: player_id or player_name, status; team, from, until and note
    if wanted. Raises AvailabilityRejected, which names every row that cannot be taken.
    """
    columns: dict[str, int] = {}
    for position, heading in enumerate(frame.columns):
        name = _ALIASES.get(str(heading).strip().lower().replace(" ", "_"))
        if name is not None:
            columns.setdefault(name, position)
    problems: list[RowProblem] = []
    if "status" not in columns or not {"player_id", "player_name"} & set(columns):
        found = ", ".join(str(heading) for heading in frame.columns) or "none"
        detail = f"needed: player_id or player_name, and status; columns found: {found}"
        problems.append(RowProblem(None, RowProblemKind.MISSING_COLUMN, detail))
    elif frame.empty:
        problems.append(RowProblem(None, RowProblemKind.NO_ROWS, "the list has no rows"))
    by_name: dict[str, list[int]] = {}
    for player_id, (player_name, _) in people.items():
        by_name.setdefault(name_key(player_name), []).append(player_id)
    changes: dict[tuple[int, date], PlayerAvailability] = {}
    if not problems:
        for number, values in enumerate(frame.itertuples(index=False, name=None), start=2):
            cells = {name: _text(values[position]) for name, position in columns.items()}
            try:
                change = _change(cells, people, by_name, today)
                earlier = changes.setdefault((change.player_id, change.from_date), change)
                if earlier != change:
                    detail = "another row says otherwise of the same player and day"
                    raise _Unreadable(RowProblemKind.CONFLICT, detail)
            except _Unreadable as error:
                problems.append(RowProblem(number, error.kind, str(error)))
    if problems:
        raise AvailabilityRejected(
            "the list", problems, "Nothing was saved. Mend these rows and import the file again."
        )
    return list(changes.values())


def _change(
    cells: Mapping[str, str],
    people: Mapping[int, tuple[str, str | None]],
    by_name: Mapping[str, list[int]],
    today: date,
) -> PlayerAvailability:
    try:
        status = Availability(cells["status"].lower())
    except ValueError:
        detail = f"{cells['status']!r} is no status; known: {_KINDS}"
        raise _Unreadable(RowProblemKind.BAD_VALUE, detail) from None
    begin = _day(cells.get("from", "")) or today
    until = _day(cells.get("until", ""))
    if until is not None and until < begin:
        detail = f"until {until.isoformat()} is before from {begin.isoformat()}"
        raise _Unreadable(RowProblemKind.BAD_DATE, detail)
    note = cells.get("note", "")
    if len(note) > _LONGEST_NOTE:
        detail = f"the note has {len(note)} characters, {_LONGEST_NOTE} are the most"
        raise _Unreadable(RowProblemKind.BAD_VALUE, detail)
    return PlayerAvailability(_player(cells, people, by_name), status, begin, until, note)


def _player(
    cells: Mapping[str, str],
    people: Mapping[int, tuple[str, str | None]],
    by_name: Mapping[str, list[int]],
) -> int:
    name, team, text = (cells.get(key, "") for key in ("player_name", "team", "player_id"))
    named = by_name.get(name_key(name), []) if name else []
    if text:
        # Spreadsheets make 203999.0 of an id.
        digits = text.removesuffix(".0")
        if not (digits.isascii() and digits.isdigit()) or int(digits) not in people:
            raise _Unreadable(RowProblemKind.UNKNOWN_PLAYER, f"no player has the id {text!r}")
        if named and int(digits) not in named:
            detail = f"id {digits} is {people[int(digits)][0]}, not {name}"
            raise _Unreadable(RowProblemKind.AMBIGUOUS_PLAYER, detail)
        return int(digits)
    if not named:
        raise _Unreadable(RowProblemKind.UNKNOWN_PLAYER, f"no player is called {name!r}")
    if len(named) > 1 and team:
        named = [one for one in named if people[one][1] == team.upper()] or named
    if len(named) > 1:
        # Of namesakes the one who is on a roster is meant.
        named = [one for one in named if people[one][1] is not None] or named
    if len(named) > 1:
        detail = f"{name} may be player {' or '.join(str(one) for one in named)}; add player_id"
        raise _Unreadable(RowProblemKind.AMBIGUOUS_PLAYER, detail)
    return named[0]


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        detail = f"{text!r} is no date; write it as 2026-11-20"
        raise _Unreadable(RowProblemKind.BAD_DATE, detail) from None


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value).strip()
