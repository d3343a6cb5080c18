"""Which logged predictions are asked for, and a row's place in their order, as SQL.

The statements that these parts belong to name runs `r`, game predictions `g` and predictions `p`,
and have the common table `current_runs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import apsw

from nba.stats import STATS, Stat
from tracking.errors import UnknownPlace
from tracking.frames import escape_like, fold, use_fold
from tracking.runs import Origin

__all__ = [
    "AFTER_PLACE",
    "STAT_ORDER",
    "UP_TO_PLACE",
    "Bindings",
    "HistoryFilters",
    "HistoryPlace",
    "conditions_of",
    "place_bindings",
    "place_of",
]

Bindings = dict[str, str | int]
"""Values of a statement by name."""

STAT_ORDER: Final = (
    "CASE p.stat " + " ".join(f"WHEN '{s}' THEN {i}" for i, s in enumerate(STATS)) + " END"
)
"""SQL for the place of a prediction's stat among the stats of one player."""

_RUN_OF_PLACE: Final = "(:place_date, :place_logged_at, :place_run)"
_ROW_OF_PLACE: Final = "(:place_game, :place_player, :place_stat)"

AFTER_PLACE: Final = (
    f"(r.slate_date, r.logged_at, r.run_id) <= {_RUN_OF_PLACE}"
    f" AND (r.run_id <> :place_run OR (p.game_id, p.player_id, {STAT_ORDER}) > {_ROW_OF_PLACE})"
)
"""SQL for the rows after a place; its values are those of `place_bindings`."""

UP_TO_PLACE: Final = (
    f"(r.slate_date, r.logged_at, r.run_id) >= {_RUN_OF_PLACE}"
    f" AND (r.run_id <> :place_run OR (p.game_id, p.player_id, {STAT_ORDER}) <= {_ROW_OF_PLACE})"
)
"""SQL for the rows up to a place, with it."""

# Beyond this many matching players, reading every row of a run beats one seek per player and game.
_SEEK_PLAYERS: Final = 25
_PLACE_PARTS: Final = 4
_LONGEST_ID: Final = 18


@dataclass(frozen=True, slots=True)
class HistoryFilters:
    """Which predictions to show; every field that is not None narrows the choice.

    `since` and `until` are inclusive US Eastern slate dates. `team` is an abbreviation. `player`
    is any part of a name, without regard to case and accents. `only_current` leaves out runs that
    a newer run of the same slate and origin replaced.
    """

    since: date | None = None
    until: date | None = None
    origin: Origin | None = None
    model_version: str | None = None
    team: str | None = None
    player: str | None = None
    stat: Stat | None = None
    only_current: bool = False


@dataclass(frozen=True, slots=True)
class HistoryPlace:
    """One row's place in the order of the history; what is logged later does not move it.

    As text it fits into an address, from which `place_of` reads it.
    """

    run_id: str
    game_id: str
    player_id: int
    stat: Stat

    def __str__(self) -> str:
        return "~".join((self.run_id, self.game_id, str(self.player_id), self.stat))


def place_of(text: str) -> HistoryPlace:
    """The place that `text` names. Raises UnknownPlace for a text of another form."""
    parts = text.rsplit("~", _PLACE_PARTS - 1)
    if len(parts) == _PLACE_PARTS:
        run_id, game_id, player, named = parts
        is_id = player.isascii() and player.isdigit() and len(player) <= _LONGEST_ID
        for stat in STATS:
            if is_id and stat == named:
                return HistoryPlace(run_id, game_id, int(player), stat)
    raise _unknown_place()


def conditions_of(
    connection: apsw.Connection, filters: HistoryFilters, *, has_reference: bool
) -> tuple[str, Bindings]:
    """The condition that `filters` make, and its values."""
    conditions = ["TRUE"]
    bindings: Bindings = {}

    def narrow(condition: str, **values: str | int) -> None:
        conditions.append(condition)
        bindings.update(values)

    if filters.since is not None:
        narrow("r.slate_date >= :since", since=filters.since.isoformat())
    if filters.until is not None:
        narrow("r.slate_date <= :until", until=filters.until.isoformat())
    if filters.origin is not None:
        narrow("r.origin = :origin", origin=filters.origin.value)
    if filters.model_version is not None:
        narrow("r.model_version = :model_version", model_version=filters.model_version)
    if filters.only_current:
        # The plus keeps this from becoming the way in, which would lose the order.
        narrow("+r.run_id IN (SELECT run_id FROM current_runs)")
    if filters.stat is not None:
        narrow("p.stat = :stat", stat=filters.stat)
    if filters.team is not None:
        # Of the game first: the predictions of other games are not looked at.
        narrow("(g.home_team = :team COLLATE NOCASE OR g.away_team = :team COLLATE NOCASE)")
        narrow(
            "CASE p.team_id WHEN g.home_team_id THEN g.home_team "
            "WHEN g.away_team_id THEN g.away_team END = :team COLLATE NOCASE",
            team=filters.team.strip(),
        )
    if filters.player is not None and filters.player.strip():
        ids = _matching_players(connection, filters.player, has_reference=has_reference)
        column = "p.player_id" if len(ids) <= _SEEK_PLAYERS else "+p.player_id"
        # The ids come out of integer columns, so they can stand in the statement.
        narrow(f"{column} IN ({', '.join(str(player_id) for player_id in ids)})")
    return " AND ".join(conditions), bindings


def _matching_players(connection: apsw.Connection, text: str, *, has_reference: bool) -> list[int]:
    use_fold(connection)
    sources = ["main.players", "reference.players"] if has_reference else ["main.players"]
    sql = " UNION ".join(
        f"SELECT player_id FROM {source} WHERE fold(player_name) LIKE :pattern ESCAPE '\\'"
        for source in sources
    )
    rows = connection.execute(sql, {"pattern": f"%{escape_like(fold(text))}%"})
    return [int(player_id) for (player_id,) in rows]


def place_bindings(connection: apsw.Connection, place: HistoryPlace) -> Bindings:
    """The values that stand for a place in a statement. Raises UnknownPlace if its run is none."""
    sql = "SELECT slate_date, logged_at FROM main.runs WHERE run_id = ?"
    for slate_date, logged_at in connection.execute(sql, (place.run_id,)):
        return {
            "place_date": str(slate_date),
            "place_logged_at": str(logged_at),
            "place_run": place.run_id,
            "place_game": place.game_id,
            "place_player": place.player_id,
            "place_stat": STATS.index(place.stat),
        }
    raise _unknown_place()


def _unknown_place() -> UnknownPlace:
    return UnknownPlace(
        "finding a page of the history",
        "the place asked for",
        "no logged prediction is there",
        "Begin with the newest rows.",
    )
