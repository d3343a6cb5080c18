"""Who may not play: what the owner says of players, in the league's own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

__all__ = ["Availability", "PlayerAvailability", "is_expected"]


class Availability(StrEnum):
    """The words of the league's injury report; AVAILABLE takes an earlier word back."""

    AVAILABLE = "available"
    QUESTIONABLE = "questionable"
    DOUBTFUL = "doubtful"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class PlayerAvailability:
    """What is said of one player from a US Eastern date on, and until a date (None: open)."""

    player_id: int
    status: Availability
    from_date: date
    until_date: date | None
    note: str


def is_expected(status: Availability) -> bool:
    """Whether a player of this status is expected to play.

    The league calls a player questionable who is as likely to play as not, and doubtful one who
    plays one time in four.
    """
    return status not in (Availability.OUT, Availability.DOUBTFUL)
