"""Why a source did not answer, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from nba.errors import NbaError
from nba.sources.wanted import Endpoint, Wanted

__all__ = [
    "FileUnreadable",
    "NotPublished",
    "NothingAnswered",
    "SourceError",
    "SourcePaused",
    "SourceRefused",
    "SourceUnreachable",
]

_WORDS = {
    Endpoint.SCOREBOARD: "today's games",
    Endpoint.BOX_SCORE: "a box score",
    Endpoint.SCHEDULE: "the schedule",
    Endpoint.GAME_LOG: "a game log",
    Endpoint.PLAYER_INDEX: "the rosters",
}
_BY_ITSELF = "The app asks again by itself"
_FROM_ELSEWHERE = (
    "NBA's servers often refuse data centres: run `python cli.py ingest` on a computer at home"
)


class SourceError(NbaError):
    """A source did not give what was wanted.

    `source` is its name; `wait` is for how long it asked not to be asked again, zero if it did not.
    """

    _remedy = _BY_ITSELF

    def __init__(
        self, source: str, wanted: Wanted, problem: str, wait: timedelta = timedelta()
    ) -> None:
        super().__init__(
            f"Fetching {_WORDS[wanted.endpoint]} from {source}",
            _asked_for(wanted),
            problem,
            self._remedy,
        )
        self.source = source
        self.wait = wait


class SourceUnreachable(SourceError):
    """No answer, or none that is whole: time ran out, no connection, a fault of the server."""


class SourceRefused(SourceError):
    """An answer, but not the data: 403, 429, a web page in place of JSON."""

    _remedy = _FROM_ELSEWHERE


class NotPublished(SourceError):
    """The source works and has no such thing, or not yet."""


class FileUnreadable(SourceError):
    """A file of saved responses cannot be read or is no response."""

    _remedy = "Save the response again"


class SourcePaused(SourceError):
    """The source failed again and again, and is left alone until `until` (UTC).

    `cause` is its last failure.
    """

    def __init__(self, wanted: Wanted, until: datetime, cause: SourceError) -> None:
        super().__init__(
            cause.source,
            wanted,
            f"it is left alone until {until:%Y-%m-%d %H:%M} UTC because {cause.problem}",
        )
        # The remedy is that of the failure: waiting alone mends no refusal.
        self.remedy = cause.remedy
        self.until = until
        self.cause = cause


class NothingAnswered(NbaError):
    """No source gave what was wanted; `failures` say why, in the order in which they were asked."""

    def __init__(self, wanted: Wanted, failures: Sequence[SourceError]) -> None:
        super().__init__(
            f"Fetching {_WORDS[wanted.endpoint]}",
            _asked_for(wanted),
            "; ".join(f"{error.source}: {error.problem}" for error in failures)
            or "no source that is asked has it",
            failures[-1].remedy if failures else "Add a source to the list in the settings",
        )
        self.failures = tuple(failures)


def _asked_for(wanted: Wanted) -> str:
    return ", ".join(value for _, value in wanted.parameters if value) or "tonight"
