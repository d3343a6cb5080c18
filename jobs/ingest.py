"""From the sources to the state: responses are kept as they came, then learned from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from jobs.bronze import BronzeShelf
from jobs.clock import Clock
from jobs.ingest_plan import (
    CORRECTION_DAYS,
    MANY_GAMES,
    SEASON_TYPES,
    begun,
    correction_logs,
    is_due,
    log_wants,
)
from nba.bronze import BronzeDamaged, Document
from nba.errors import NbaError
from nba.reference import Reference
from nba.seasons import ScheduledGame, season_of, seasons_between, slate_date_of
from nba.silver import silver_of
from nba.sources.errors import NotPublished
from nba.sources.source import SourceChain
from nba.sources.wanted import Wanted
from prediction_tracking import LearnReport, PredictionLog

__all__ = [
    "Ingest",
    "IngestReport",
    "Progress",
    "missing_seasons",
    "seasons_after",
    "team_names",
]

Progress = Callable[[float, str], None]
"""Called with the share done (0..1) and a few words on what is being done."""

_BOX_SCORES_AT_ONCE = 300


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one look at the sources gave.

    Attributes:
        finished_at: when it ended, in UTC by this machine's clock.
        documents: responses that came.
        learned: what they changed in the state.
        failures: why sources did not answer, one for each source.
        missing: what is still not known, in sentences.
    """

    finished_at: datetime
    documents: int
    learned: LearnReport
    failures: tuple[NbaError, ...]
    missing: tuple[str, ...]

    @property
    def problems(self) -> int:
        """How many responses, or parts of one, were put into quarantine."""
        return self.learned.problems

    @property
    def is_complete(self) -> bool:
        """Whether nothing failed, is missing, or was put into quarantine."""
        return not (self.failures or self.missing or self.problems)


class Ingest:
    """One look at the sources, step by step.

    Safe beside other processes on the same bucket: who learns the same writes the same rows.
    """

    def __init__(
        self,
        sources: SourceChain,
        shelf: BronzeShelf,
        log: PredictionLog,
        reference: Reference,
        *,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._sources = sources
        self._shelf = shelf
        self._log = log
        self._reference = reference
        self._clock = clock
        self._progress = progress
        self._teams = team_names(reference)
        self._now = clock()
        self._today = slate_date_of(self._now)
        self._season = season_of(self._today)
        self._documents = 0
        self._learned = LearnReport()
        self._failures: dict[str, NbaError] = {}

    def catch_up(self) -> None:
        """Learn what another process, or a killed one, has kept and maybe not learned.

        That is what came on the newest date that the state has learned from, or later.

        A response that is damaged or gone is told in the report. Raises ReplicaError.
        """
        learned = self._log.newest_learned()
        yesterday = self._today - timedelta(days=1)
        since = None if learned is None else min(learned, yesterday)
        self._shelf.refresh(yesterday if since is None else since)
        # What is kept is a help after an accident, and no condition for going on.
        self._learn(self._shelf.documents(since, on_damage=self._note_damage))

    def _note_damage(self, error: BronzeDamaged) -> None:
        self._failures.setdefault(error.key, error)

    def run(self) -> IngestReport:
        """Ask for all that is missing, and learn what comes.

        What a source refuses is in the report and is asked for again next time. Raises StoreError,
        LocalError and other ReplicaErrors; what had come by then is kept and learned.
        """
        self._shelf.refresh(self._today - timedelta(days=CORRECTION_DAYS))
        self._learn(self._fetch([Wanted.scoreboard()], "Fetching tonight's games", 0.02))
        self._learn(self._fetch(self._once_a_day(), "Fetching schedule and rosters", 0.04, 0.1))
        self._fill_seasons()
        self._results()
        self._corrections()
        self._progress(1.0, "Up to date")
        return IngestReport(
            finished_at=self._clock(),
            documents=self._documents,
            learned=self._learned,
            failures=tuple(self._failures.values()),
            missing=tuple(self._missing()),
        )

    def _once_a_day(self) -> list[Wanted]:
        asked = [Wanted.schedule(self._season), Wanted.players(self._season)]
        return [one for one in asked if is_due(self._last_answered([one]), self._now)]

    def _fill_seasons(self) -> None:
        """Whole seasons that lie between the bundled ones and tonight."""
        logs = self._unasked_logs()
        for number, wanted in enumerate(logs):
            words = f"Fetching {wanted['season']}, {wanted['season_type']}"
            self._learn(self._fetch([wanted], words, 0.1 + 0.4 * number / len(logs)))

    def _unasked_logs(self) -> list[Wanted]:
        """The whole logs of seasons that are over, each kind for itself, while unanswered."""
        logs = (
            Wanted.game_log(season, kind)
            for season in seasons_after(self._reference, self._today)
            for kind in SEASON_TYPES.values()
        )
        return [one for one in logs if self._shelf.last_answered(one) is None]

    def _results(self) -> None:
        """Final box scores of games that should be over: one by one, or many at once."""
        games = self._outstanding()
        if len(games) > MANY_GAMES:
            words = f"Fetching the results of {len(games)} games"
            self._learn(self._fetch(log_wants(games), words, 0.5, 0.6))
            games = self._outstanding()
        wanted = [Wanted.box_score(game.game_id) for game in games[-_BOX_SCORES_AT_ONCE:]]
        self._learn(self._fetch(wanted, "Fetching box scores", 0.6, 0.85))
        self._learn(self._fetch(log_wants(self._outstanding()), "Fetching game logs", 0.85))

    def _corrections(self) -> None:
        """The last days once more, once a day: the league corrects box scores."""
        days = [self._today - timedelta(days=number) for number in range(1, CORRECTION_DAYS + 1)]
        games = [
            (str(row["game_id"]), str(row["season"]), day)
            for day in days
            for row in self._reference.games(on=day).to_dict("records")
        ]
        logs = correction_logs(games, self._now)
        if not logs or not is_due(self._last_answered(logs), self._now):
            return
        words = "Looking for corrections"
        documents = self._fetch(logs, words, 0.9)
        if len(documents) < len(logs):
            asked = (Wanted.box_score(game_id) for game_id, _, _ in games)
            due = [one for one in asked if is_due(self._last_answered([one]), self._now)]
            documents += self._fetch(due, words, 0.92, 1.0)
        self._learn(documents)

    def _last_answered(self, wanted: Sequence[Wanted]) -> datetime | None:
        moments = [self._shelf.last_answered(one) for one in wanted]
        known = [moment for moment in moments if moment is not None]
        return min(known) if len(known) == len(moments) else None

    def _outstanding(self) -> list[ScheduledGame]:
        return begun(self._reference.unfinished(self._today), self._now)

    def _fetch(
        self, wanted: Sequence[Wanted], words: str, begin: float, end: float | None = None
    ) -> list[Document]:
        """What the sources answer; progress goes from `begin` to `end`, shares of all the work."""
        documents = []
        step = ((begin if end is None else end) - begin) / max(len(wanted), 1)
        for number, one in enumerate(wanted):
            count = f": {number + 1} of {len(wanted)}" if len(wanted) > 1 else ""
            self._progress(begin + step * number, f"{words}{count}")
            try:
                document = self._sources.fetch(one)
            except NotPublished:
                self._shelf.answered(one, self._now)
                continue
            except NbaError as error:
                self._failures.setdefault(one.endpoint.value, error)
                continue
            documents.append(self._shelf.keep(document))
        self._documents += len(documents)
        return documents

    def _learn(self, documents: Iterable[Document]) -> None:
        silver = silver_of(documents, self._teams)
        self._learned += self._log.learn(silver)

    def _missing(self) -> Iterable[str]:
        gaps = missing_seasons(self._reference, self._today)
        for season in gaps:
            yield f"Box scores of {season} are missing."
        for wanted in self._unasked_logs():
            if wanted["season"] not in gaps:
                yield f"Box scores of {wanted['season']} ({wanted['season_type']}) are missing."
        games = self._outstanding()
        if games:
            since = min(game.slate_date for game in games)
            count = f"{len(games)} game" + ("" if len(games) == 1 else "s")
            yield f"Results of {count} since {since.isoformat()} are missing."


def team_names(reference: Reference) -> dict[int, str]:
    """Abbreviations by team id."""
    return {int(row["team_id"]): str(row["team"]) for row in reference.teams().to_dict("records")}


def missing_seasons(reference: Reference, today: date) -> tuple[str, ...]:
    """The seasons after the bundled ones and before `today`'s of which no box score is known."""
    known = set(reference.seasons_since(reference.info.data_as_of))
    return tuple(one for one in seasons_after(reference, today) if one not in known)


def seasons_after(reference: Reference, today: date) -> tuple[str, ...]:
    """The seasons after the bundled ones and before `today`'s."""
    first, current = season_of(reference.info.data_as_of), season_of(today)
    return tuple(
        season_of(date(int(first[:4]) + number, 10, 1))
        for number in range(1, seasons_between(first, current))
    )
