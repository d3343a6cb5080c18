"""Rows of an earlier app's `predictions` table: which column is which, what a row says. Pure."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

__all__ = ["LegacyRow", "SkipReason", "columns_of", "missing_columns", "read_row"]

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "game_date": ("game_date", "date", "prediction_date"),
    "player_id": ("player_id", "playerid"),
    "player_name": ("player_name", "player", "name"),
    "projected": (
        "projected_ppg",
        "projected_points",
        "proj_ppg",
        "proj_points",
        "predicted_ppg",
        "predicted_points",
        "predicted_pts",
    ),
    "floor": ("proj_floor", "floor", "projected_floor", "floor_ppg"),
    "ceiling": ("proj_ceiling", "ceiling", "projected_ceiling", "ceiling_ppg", "proj_ceil"),
    "actual": ("actual_ppg", "actual_points", "actual_pts", "actual"),
    "game_id": ("game_id",),
    "team": ("team", "team_abbreviation", "team_abbr"),
    "opponent": ("opponent", "opponent_abbreviation", "opp"),
    "created_at": ("created_at", "logged_at", "timestamp"),
    "model": ("model_version", "model", "model_name"),
}
_LARGEST_POINTS: Final = 120
_GAME_ID_LENGTH: Final = 10
_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})([ T].*)?", re.ASCII)
_LARGEST_ID: Final = 2**53


class SkipReason(enum.Enum):
    """Why a row, or only its actual, was not imported. The row stays in the copy."""

    NO_DATE = "no readable game date"
    NO_PLAYER = "no player id, and no known name"
    AMBIGUOUS_PLAYER = "no player id, and several players of that name"
    NO_PROJECTION = "projection is no number"
    IMPOSSIBLE_PROJECTION = "projection is below 0 or above 120"
    BAD_BAND = "floor or ceiling is no number"
    FLOOR_ABOVE_CEILING = "floor above ceiling"
    REPEATED = "repeats a later row of the same player and game"
    REPLACED = "replaced by a later row of the same player and game"
    BAD_ACTUAL = "actual is not a whole number from 0 to 120 (prediction imported)"
    ACTUAL_DIFFERS = "actual differs from the official box score (prediction imported)"


@dataclass(frozen=True, slots=True)
class LegacyRow:
    """A readable row; `number` counts from 1 in the table's own order.

    Points projections and their band; `floor`, `ceiling` and `actual` are None where unknown.
    `player_id` None means that only a name is given. `bad_actual` marks an actual that cannot be.
    """

    number: int
    game_date: date
    player_id: int | None
    player_name: str
    game_id: str
    team: str
    opponent: str
    projected: float
    floor: float | None
    ceiling: float | None
    actual: int | None
    bad_actual: bool
    created_at: datetime | None
    model: str


def columns_of(names: Iterable[str]) -> dict[str, str]:
    """Meaning → the table's column; the first alias that is there wins."""
    by_lower = {name.strip().lower(): name for name in names}
    return {
        meaning: next(by_lower[alias] for alias in aliases if alias in by_lower)
        for meaning, aliases in _ALIASES.items()
        if any(alias in by_lower for alias in aliases)
    }


def missing_columns(columns: Mapping[str, str]) -> list[str]:
    """What a predictions table must have to be understood, and does not."""
    missing = [_ALIASES[name][0] for name in ("game_date", "projected") if name not in columns]
    if "player_id" not in columns and "player_name" not in columns:
        missing.append("player_id")
    return missing


def read_row(number: int, values: Mapping[str, object]) -> LegacyRow | SkipReason:
    """The row's content, or why it has none. Values are SQLite's, text that is no text as bytes."""
    game_date = _date_of(values.get("game_date"))
    if game_date is None:
        return SkipReason.NO_DATE
    player_id = _player_id_of(values.get("player_id"))
    player_name = _text_of(values.get("player_name"))
    if player_id is None and not player_name:
        return SkipReason.NO_PLAYER
    projected = _number_of(values.get("projected"))
    if projected is None:
        return SkipReason.NO_PROJECTION
    if not 0 <= projected <= _LARGEST_POINTS:
        return SkipReason.IMPOSSIBLE_PROJECTION
    band: list[float | None] = []
    for name in ("floor", "ceiling"):
        value = values.get(name)
        number_found = _number_of(value)
        if number_found is None and not _is_blank(value):
            return SkipReason.BAD_BAND
        band.append(number_found)
    floor, ceiling = band
    if floor is not None and ceiling is not None and floor > ceiling:
        return SkipReason.FLOOR_ABOVE_CEILING
    actual = _number_of(values.get("actual"))
    is_actual = actual is not None and actual.is_integer() and 0 <= actual <= _LARGEST_POINTS
    return LegacyRow(
        number=number,
        game_date=game_date,
        player_id=player_id,
        player_name=player_name,
        game_id=_game_id_of(values.get("game_id")),
        team=_text_of(values.get("team")).upper(),
        opponent=_text_of(values.get("opponent")).upper(),
        projected=projected,
        floor=floor,
        ceiling=ceiling,
        actual=int(actual) if actual is not None and is_actual else None,
        bad_actual=not is_actual and not _is_blank(values.get("actual")),
        created_at=_moment_of(values.get("created_at")),
        model=_text_of(values.get("model")),
    )


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _text_of(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _number_of(value: object) -> float | None:
    if isinstance(value, str):
        # float() also takes "1_0", which nobody means.
        if "_" in value:
            return None
        try:
            value = float(value)
        except ValueError:
            return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _player_id_of(value: object) -> int | None:
    number = _number_of(value)
    if number is None or not number.is_integer() or not 0 < number < _LARGEST_ID:
        return None
    return int(number)


def _date_of(value: object) -> date | None:
    if not isinstance(value, str):
        return None
    text = value.strip()
    # A time of day, where there is one, follows the date; the date is the game's own.
    written = _DATE.fullmatch(text)
    if written is None:
        return None
    try:
        return date.fromisoformat(written[1])
    except ValueError:
        return None


def _moment_of(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _game_id_of(value: object) -> str:
    text = _text_of(value).removesuffix(".0")
    return text.zfill(_GAME_ID_LENGTH) if text.isdecimal() else text
