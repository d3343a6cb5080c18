"""From names in the settings to sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from nba.sources.folder import FolderSource
from nba.sources.live import LiveSource
from nba.sources.source import Source, SourceChain
from nba.sources.stats import StatsSource

__all__ = ["open_sources"]


def open_sources(
    names: Sequence[str],
    *,
    clock: Callable[[], datetime],
    folder: Path | None,
    live_url: str | None,
    stats_url: str | None,
    timeout_seconds: float,
) -> SourceChain:
    """The sources "live", "stats" and "folder" in the order of `names`; nothing is sent yet.

    The addresses are those of mirrors, None for the NBA's own. ValueError for an unknown name, and
    for "folder" without a folder.
    """

    def opened(name: str) -> Source:
        if name == "live":
            return LiveSource(clock, live_url, timeout_seconds)
        if name == "stats":
            return StatsSource(clock, stats_url, timeout_seconds)
        if name == "folder" and folder is not None:
            return FolderSource(folder, clock)
        raise ValueError(f"no such source, or no folder for it: {name!r}")

    return SourceChain([opened(name) for name in names], clock)
