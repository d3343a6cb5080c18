"""The running app of one process: it prepares itself, logs tonight, keeps the state saved.

Everything a screen or the command line can ask for is a method here. What changes the state takes
an `Actor` and is refused to anybody but the owner.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import pandas as pd

from jobs.authority import Actor, PasswordGate, require_owner
from jobs.backups import Backup
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.copies import RunCopies
from jobs.daily import DailyReport, do_day
from jobs.ending import do_within
from jobs.errors import ConfigurationError, NotReady
from jobs.ingest import IngestReport, Progress, missing_seasons
from jobs.live_season import LiveSeason
from jobs.outcome import Outcome, outcome_of
from jobs.pictures import Pictures
from jobs.preparation import Preparation
from jobs.projecting import Projecting, Whys
from jobs.rebuild import RebuildReport
from jobs.safekeeping import Safekeeping
from jobs.saved import SavedState
from jobs.sharing import Sharing
from jobs.startup import Startup
from jobs.state import State
from jobs.ticking import Chores
from jobs.timer import Timer
from jobs.tonight import log_replay, log_tonight, revise, revise_if_open, tonights_date
from jobs.usage import Meter
from nba.availability import Availability
from nba.reference import Reference
from nba.slate import SlateProjection
from prediction_tracking import (
    MissedSlate,
    PlayerAvailability,
    PredictionLog,
    ResultsReport,
    Run,
)
from replica import ReplicaError

__all__ = ["Application"]


class Application:
    """One per process. `start` returns at once; the work happens in its own threads."""

    def __init__(self, settings: Settings, *, clock: Clock, generator: random.Random) -> None:
        self.meter = Meter(settings, clock, self._ready_state)
        self.settings = settings = self.meter.counted(settings)
        self.clock = clock
        self.password_gate = PasswordGate(clock)
        self._copies = RunCopies()
        self._startup = Startup(
            settings,
            clock=clock,
            generator=generator,
            on_logged=self._copies.add,
            on_ready=self._state_is_ready,
            then=self._begin_ticking,
        )
        self.sharing = Sharing(settings, clock, self._ready_state)
        self.pictures = Pictures(settings, clock, self._ready_state)
        self.safekeeping = Safekeeping(
            settings,
            clock,
            self._ready_state,
            also=(self.sharing.tidy_up, self.pictures.keep, self.meter.keep),
            without_store=(self.meter.save,),
        )
        self.backup_jobs = self.safekeeping.backups
        self.restoring = self.safekeeping.restoring
        self.drills = self.safekeeping.drills
        self._ticking = Chores()
        minutes, beside = settings.timer_minutes, (self.safekeeping.run,)
        self._timer = Timer(self.tick, minutes, beside=beside) if minutes else None
        self._season: LiveSeason | None = None
        self._projecting = Projecting(lambda: self.reference, lambda: self._season)
        self._ticks_at_start = True

    # Life ---------------------------------------------------------------------------------------

    def start(self, *, ticks: bool = True) -> None:
        """Begin preparing, and ticking if the timer is on; `ticks` False leaves out every tick."""
        self._ticks_at_start = self.meter.writes_at_end = ticks
        self._startup.start()
        if ticks and self._timer is not None:
            self._timer.start()

    def close(self, flush_timeout_seconds: float = 5.0) -> None:
        """Stop the timer and the threads, publish what is pending, let go of the file.

        What runs gets `flush_timeout_seconds` to end, and the upload as much; harmless twice.
        """
        deadline = time.monotonic() + flush_timeout_seconds
        self._startup.stop()
        if self._season is not None:
            self._season.stop()
        self.safekeeping.stop()
        if self._timer is not None:
            self._timer.stop(flush_timeout_seconds)
        self._startup.join(max(0.0, deadline - time.monotonic()))
        # Another's long transaction keeps these waiting: the upload must not wait with them.
        do_within(min(1.0, deadline - time.monotonic()), self.pictures.close, self.meter.finish)
        if self._state is not None:
            self._state.close(flush_timeout_seconds)

    def wake(self) -> None:
        """Somebody is looking: run a tick that is overdue, for instance after a sleep."""
        if self._timer is not None and not self._startup.is_stopped:
            self._timer.wake()

    def wait_until_prepared(self, *, timeout_seconds: float) -> Preparation:
        """Wait until reference and state are ready or have failed; whatever holds by then."""
        return self._startup.board.wait(timeout_seconds=timeout_seconds, state=True)

    @property
    def preparation(self) -> Preparation:
        return self._startup.board.current

    @property
    def _state(self) -> State | None:
        return self._startup.state

    def _state_is_ready(self, state: State) -> None:
        self._season = LiveSeason(self.settings.sources, self._bundled(), state, self.clock)

    def _begin_ticking(self) -> None:
        if self._ticks_at_start:
            self.tick()
            self.safekeeping.run()

    # What can be read ---------------------------------------------------------------------------

    @property
    def reference(self) -> Reference:
        """The bundled seasons, and what has been learned since as soon as the history is here.

        Raises:
            NotReady: they are still being prepared, or cannot be had.
        """
        return self._bundled() if self._season is None else self._season.reference

    def _bundled(self) -> Reference:
        if self._startup.reference is None:
            raise NotReady(
                "read past seasons", "reference", "They are not ready.", "Try again in a moment."
            )
        return self._startup.reference

    @property
    def predictions(self) -> PredictionLog | None:
        """The prediction log, or None while the history is not here."""
        return self._state.predictions if self._state and self.preparation.state_ready else None

    def tonights_date(self) -> date | None:
        """The slate to show now; None after the last one. Raises NotReady."""
        return tonights_date(self.reference, self.clock())

    def projection(self, slate_date: date) -> SlateProjection:
        """One slate, computed once for what is known. Raises NotReady, UnknownSlate."""
        return self._projecting.projection(slate_date)

    def what_if(
        self, slate_date: date, words: Mapping[int, Availability], most_minutes: Mapping[int, float]
    ) -> SlateProjection:
        """With words and caps by player id; neither logged nor kept. Raises as above."""
        return self._projecting.what_if(slate_date, words, most_minutes)

    def why(self, slate_date: date, game_id: str, player_id: int) -> Whys:
        """What adds up to each mean of a player in `projection`. Raises as above."""
        return self._projecting.why(slate_date, game_id, player_id)

    def known_dates(self) -> tuple[date, date]:
        """The first date with box scores and the last one on the schedule. Raises NotReady."""
        scheduled = [game.slate_date for game in self.reference.schedule()]
        bundled = self.reference.bundled_dates()
        return bundled[0], max(*scheduled, bundled[-1])

    def missing_seasons(self, slate_date: date) -> tuple[str, ...]:
        """Seasons between the bundled ones and a slate of which nothing is known."""
        return missing_seasons(self.reference, slate_date)

    def missed_slates(self) -> list[MissedSlate]:
        """Slates with games for which nothing was logged in time. Raises NotReady."""
        log = self._ready_state("list missed slates").predictions
        return log.missed_slates(self.reference.schedule(), self.clock())

    @property
    def season(self) -> LiveSeason | None:
        """Games and results as they come in, or None while the history is not here."""
        return self._season if self.preparation.state_ready else None

    def outcome(self, slate_date: date) -> Outcome:
        """What happened on a date, as far as it is known. Raises NotReady."""
        return outcome_of(self.reference, self.predictions, slate_date)

    def saved_state(self) -> SavedState:
        """How safe the history is now; never waits for the network."""
        return SavedState(
            preparation=self.preparation,
            status=None if self._state is None else self._state.replica.status(),
            configuration_error=(
                self.settings.store if isinstance(self.settings.store, ConfigurationError) else None
            ),
            job_error=self._ticking.error or self.safekeeping.error,
            uses_folder=self.settings.uses_folder,
            is_deployed=self.settings.is_deployed,
            now=self.clock(),
            timer_minutes=self.settings.timer_minutes,
            drill=self.safekeeping.drills.record if self.preparation.state_ready else None,
        )

    # What happens by itself ---------------------------------------------------------------------

    def tick(self) -> None:
        """Catch up, log tonight if that is due, publish; the timer calls it.

        One part's failure does not keep the others from their work: tonight is logged locally
        while the store is away. What failed is kept for the status and tried again next time.
        """
        if self._state is not None and self.preparation.state_ready:
            # What another copy of the app has learned and logged comes first, so that it is not
            # asked for and logged again. Tonight is logged before the sources are asked, too:
            # that can take minutes.
            self._ticking.run(
                self._exchange,
                self._log_tonight,
                self._ingest_if_due,
                self._log_tonight,
                self._copy_runs,
            )

    def _exchange(self) -> None:
        """Publish, catch up, and make a snapshot if one is due; one request if there is no news.

        What fails there is kept by the replica, for its status.
        """
        with contextlib.suppress(ReplicaError):
            self._ready_state("tick").replica.tick()

    def _log_tonight(self, *, may_wait: bool = True) -> Run | None:
        return log_tonight(
            self._ready_state("log tonight").predictions,
            self.reference,
            self.projection,
            self.clock(),
            results_may_come=may_wait and self._season is not None and self._season.has_sources,
        )

    def _ingest_if_due(self) -> None:
        if self._season is not None and self._season.is_due():
            self._season.ingest()

    def _copy_runs(self) -> None:
        """Put the readable copy of each logged run beside the state, once the state is saved."""
        state = self._ready_state("copy runs")
        if state.replica.status().pending_transactions:
            self._exchange()
        if state.replica.status().last_error is None:
            self._copies.make(state)

    # What the owner does ------------------------------------------------------------------------

    def revise(self, actor: Actor, slate_date: date) -> Run:
        """Log tonight's slate again. Raises NotPermitted, NotReady, ReplicaError."""
        self._require_owner(actor, "revise a projection")
        log = self._ready_state("revise").predictions
        return revise(log, self.reference, self.projection, slate_date, self.clock())

    def log_replay(self, actor: Actor, slate_date: date) -> Run:
        """Log a past date as a replay. Raises NotPermitted, NotReady, ReplicaError."""
        self._require_owner(actor, "log a replay")
        return log_replay(
            self._ready_state("log a replay").predictions, self.projection, slate_date
        )

    def import_results(self, actor: Actor, frame: pd.DataFrame, source: str) -> ResultsReport:
        """Take results from a table, after a backup.

        Raises NotPermitted, NotReady, NotBackedUp, TrackingError, ReplicaError.
        """
        self._require_owner(actor, "import results")
        state = self._ready_state("import results")
        before = partial(self.backup_jobs.make_before_import, source)
        report = state.predictions.record_results(frame, source, before=before)
        state.replica.request_sync()
        return report

    def ingest(self, actor: Actor, progress: Progress) -> IngestReport:
        """Ask the sources now. Raises NotPermitted, NotReady, BronzeDamaged, ReplicaError."""
        self._require_owner(actor, "fetch results")
        return self._ready_season("fetch results").ingest(progress)

    def ingest_from(self, actor: Actor, folder: Path, progress: Progress) -> IngestReport:
        """Learn from a folder of saved responses. Raises as `ingest` does."""
        self._require_owner(actor, "fetch results")
        return self._ready_season("fetch results").ingest_from(folder, progress)

    def rebuild_silver(self, actor: Actor, progress: Progress) -> RebuildReport:
        """Compare the state with all responses that are kept. Raises as `ingest` does."""
        self._require_owner(actor, "rebuild silver")
        return self._ready_season("rebuild silver").rebuild(progress)

    def daily(self, actor: Actor, progress: Progress) -> DailyReport:
        """Everything that a day needs; done again it changes nothing.

        Raises NotPermitted, NotReady, BronzeDamaged, TrackingError, ReplicaError.
        """
        self._require_owner(actor, "do the daily job")
        self.meter.writes_at_end = True
        season, state = self._ready_season("do the daily job"), self._ready_state("daily")
        with self._ticking.held_back():
            return do_day(
                state,
                season,
                self._copies,
                exchange=self._exchange,
                log_tonight=self._log_tonight,
                missed_slates=self.missed_slates,
                keep_backups=self.backup_jobs.keep_daily,
                end_exports=self.sharing.tidy_up,
                progress=progress,
            )

    def set_availability(self, actor: Actor, changes: Sequence[PlayerAvailability]) -> Run | None:
        """Say who is out; what is logged of tonight is logged anew with it, as a revision.

        The new run, None where nothing has changed for tonight. Raises NotPermitted, NotReady,
        TrackingError, ReplicaError.
        """
        self._require_owner(actor, "say who is out")
        state = self._ready_state("say who is out")
        if not state.predictions.set_availability(changes):
            return None
        # Another process may have logged tonight since the last look.
        self._exchange()
        return revise_if_open(state.predictions, self.reference, self.projection, self.clock())

    def import_availability(self, actor: Actor, frame: pd.DataFrame) -> int:
        """Take the list from a table; how many players it names. Raises as `set_availability`."""
        self._require_owner(actor, "say who is out")
        changes = self._ready_state("say who is out").predictions.parse_availability(frame)
        self.set_availability(actor, changes)
        return len(changes)

    def back_up(self, actor: Actor) -> Backup:
        """Publish what is pending and keep a copy. Raises NotPermitted, NotReady, ReplicaError."""
        return self.backup_jobs.make(actor)

    def sync_now(self, actor: Actor) -> bool:
        """Publish now; True if something was. Raises NotPermitted, NotReady, ReplicaError."""
        self._require_owner(actor, "sync")
        return self._ready_state("sync").replica.sync_now()

    def take_over_from_store(self, actor: Actor) -> None:
        """Put this machine's writes aside as a backup and follow the store.

        Raises NotPermitted, NotReady, ReplicaError.
        """
        self._require_owner(actor, "take over from the store")
        self._ready_state("take over from the store").replica.take_over_from_store()

    def start_new_log(self, actor: Actor) -> None:
        """Put this machine's history into a store that has lost its own.

        Raises NotPermitted, NotReady, ReplicaError.
        """
        self._require_owner(actor, "save the history anew")
        self._ready_state("save the history anew").replica.start_new_log()

    def _require_owner(self, actor: Actor, action: str) -> None:
        require_owner(actor, action, self.settings.owner)

    def _ready_season(self, operation: str) -> LiveSeason:
        self._ready_state(operation)
        if self._season is None:
            raise NotReady(operation, "state", "It is just being opened.", "Try again.")
        return self._season

    def _ready_state(self, operation: str) -> State:
        now = self.preparation
        if self._state is None or not now.state_ready:
            problem = str(now.state_error) if now.state_error else "The history is being restored."
            raise NotReady(operation, "state", problem, "Try again when the sidebar says saved.")
        return self._state
