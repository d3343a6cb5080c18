"""The season as it goes on: what is known by now, who is out, and when to look at the sources."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from jobs.bronze import BronzeShelf
from jobs.clock import Clock
from jobs.errors import NotReady
from jobs.ingest import Ingest, IngestReport, Progress
from jobs.ingest_plan import next_ingest_at
from jobs.rebuild import RebuildReport, rebuild
from jobs.source_settings import SourceSettings
from jobs.state import State
from nba.availability import Availability
from nba.reference import Reference
from nba.seasons import slate_date_of
from nba.sources.opening import open_sources
from nba.sources.source import SourceChain

__all__ = ["LiveSeason"]


class LiveSeason:
    """Bundled and learned games of one open state, and the sources that add to them.

    Attributes:
        reference: the bundled seasons and what the state has learned since.
        last_ingest: what the last look at the sources gave, None before the first.
    """

    def __init__(
        self, settings: SourceSettings, bundled: Reference, state: State, clock: Clock
    ) -> None:
        self._settings = settings
        self._state = state
        self._clock = clock
        self._progress: tuple[float, str] | None = None
        self._last_try: datetime | None = None
        self._caught_up = False
        self._looking = threading.Lock()
        self._stopping = False
        self._shelf = BronzeShelf(state.storage.store)
        self._sources = _open(settings, clock)
        self.reference = bundled.with_learned(
            lambda: state.replica.read({"reference": bundled.path})
        )
        self.last_ingest: IngestReport | None = None

    def stop(self) -> None:
        """Let a look at the sources end before its next request."""
        self._stopping = True

    @property
    def has_sources(self) -> bool:
        """Whether there is anything to ask."""
        return bool(self._settings.names)

    @property
    def progress(self) -> tuple[float, str] | None:
        """How far a look at the sources has come (0..1) and what it does; None while it rests."""
        return self._progress

    def content(self) -> str:
        """Another text whenever what is known may have changed. Raises ReplicaError."""
        return self._state.predictions.content()

    def availability(self, slate_date: date) -> Mapping[int, Availability]:
        """Who is listed for a date, by player id."""
        listed = self._state.predictions.availability(slate_date)
        return {player_id: entry.status for player_id, entry in listed.items()}

    def is_due(self) -> bool:
        """Whether the sources should be asked now."""
        if not self.has_sources:
            return False
        now = self._clock()
        unfinished = self.reference.unfinished(slate_date_of(now))
        return now >= next_ingest_at(self._last_try, unfinished, now)

    def ingest(
        self, on_progress: Progress = lambda share, words: None, sources: SourceChain | None = None
    ) -> IngestReport:
        """Ask the sources (or others than those of the settings), and learn what comes.

        One at a time, however many ask. Raises what `Ingest.run` raises, and NotReady after `stop`.
        """

        def progress(share: float, words: str) -> None:
            if self._stopping:
                raise NotReady(
                    "fetch results", "sources", "The app is closing.", "It goes on when it is back."
                )
            self._progress = share, words
            on_progress(share, words)

        with self._looking:
            self._last_try = self._clock()
            caught_up, self._caught_up = self._caught_up, False
            try:
                ingest = Ingest(
                    sources or self._sources,
                    self._shelf,
                    self._state.predictions,
                    self.reference,
                    clock=self._clock,
                    progress=progress,
                )
                if not caught_up:
                    ingest.catch_up()
                self.last_ingest = ingest.run()
                self._caught_up = True
            finally:
                self._progress = None
                if not self._stopping:
                    self._state.replica.request_sync()
            return self.last_ingest

    def ingest_from(self, folder: Path, on_progress: Progress) -> IngestReport:
        """Learn from a folder of saved responses instead of the network."""
        sources = open_sources(
            ("folder",),
            clock=self._clock,
            folder=folder,
            live_url=None,
            stats_url=None,
            timeout_seconds=self._settings.timeout_seconds,
        )
        return self.ingest(on_progress, sources)

    def rebuild(self, on_progress: Progress) -> RebuildReport:
        """Build silver anew from all of bronze, and compare it with what the state has learned."""
        # Others may have kept more since this process last looked.
        shelf = BronzeShelf(self._state.storage.store)
        return rebuild(shelf, self._state.predictions, self.reference, on_progress)


def _open(settings: SourceSettings, clock: Clock) -> SourceChain:
    return open_sources(
        settings.names,
        clock=clock,
        folder=settings.folder,
        live_url=settings.live_url,
        stats_url=settings.stats_url,
        timeout_seconds=settings.timeout_seconds,
    )
