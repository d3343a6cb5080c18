"""A folder of saved responses: what a person downloaded where the NBA's servers do answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from nba.bronze import Document, safe_text
from nba.sources.answer import problem_of
from nba.sources.errors import FileUnreadable, NotPublished
from nba.sources.wanted import Endpoint, Wanted

__all__ = ["FolderSource", "file_name"]

_NAMED_BY = {
    Endpoint.SCOREBOARD: (),
    Endpoint.BOX_SCORE: ("game_id",),
    Endpoint.SCHEDULE: ("season",),
    Endpoint.GAME_LOG: ("season", "season_type"),
    Endpoint.PLAYER_INDEX: ("season",),
}


def file_name(wanted: Wanted) -> str:
    """Where a response is saved: "boxscore_0022400123.json".

    A game log's file is that of the whole season ("leaguegamelog_2024-25_Regular_Season.json"),
    whatever dates are wanted.
    """
    values = [wanted[name] for name in _NAMED_BY[wanted.endpoint]]
    return "_".join([wanted.endpoint.value, *map(safe_text, values)]) + ".json"


class FolderSource:
    """Raw responses as files; a file's time is when it was retrieved, at the latest now."""

    name = "folder"

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock

    def offers(self, wanted: Wanted) -> bool:
        """Everything, see `file_name`."""
        return wanted.endpoint in _NAMED_BY

    def fetch(self, wanted: Wanted) -> Document:
        """Read its file. Raises NotPublished without one, and FileUnreadable."""
        path = self._path / file_name(wanted)
        try:
            body = path.read_bytes()
            saved_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except FileNotFoundError as error:
            raise NotPublished(self.name, wanted, f"there is no file {path.name}") from error
        except OSError as error:
            problem = f"{path.name} cannot be read ({error.strerror})"
            raise FileUnreadable(self.name, wanted, problem) from error
        problem_found = problem_of(body)
        if problem_found is not None:
            raise FileUnreadable(self.name, wanted, f"{path.name} holds no response")
        return Document(self.name, wanted, min(saved_at, self._clock()), body)
