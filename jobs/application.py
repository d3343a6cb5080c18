"""The running app of one process: it prepares itself, logs tonight, keeps the state saved.

Everything a screen or the command line can ask for is a method here. What changes the state takes
an `Actor` and is refused to anybody but the owner.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections import OrderedDict
from datetime import date
from pathlib import PurePosixPath

import pandas as pd

from jobs.authority import Actor, PasswordGate, require_owner
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.errors import EXPLAINED, ConfigurationError, NotReady
from jobs.outcome import Outcome, outcome_of
from jobs.preparation import Preparation, PreparationBoard
from jobs.saved import SavedState
from jobs.state import State, open_state
from jobs.timer import Timer
from jobs.tonight import log_replay, log_tonight, revise, tonights_date
from nba.errors import NbaError
from nba.reference import Reference, build_reference
from nba.seasons import season_of, seasons_between
from nba.slate import SlateProjection, project_slate
from prediction_tracking import PredictionLog, ResultsReport, Run, UnknownRun
from replica import ObjectInfo, Replica, ReplicaError, StoreError, backoff_seconds

__all__ = ["Application"]

_RETRY_BASE_SECONDS = 1.0
_STORE_RETRY_CAP_SECONDS = 60.0
# What a person has to mend is looked at less often: each look may fetch a whole snapshot.
_OTHER_RETRY_CAP_SECONDS = 300.0
_KEPT_PROJECTIONS = 8


class Application:
    """One per process. `start` returns at once; the work happens in its own threads."""

    def __init__(self, settings: Settings, *, clock: Clock, generator: random.Random) -> None:
        self.settings = settings
        self.clock = clock
        self.password_gate = PasswordGate(clock)
        self._generator = generator
        self._board = PreparationBoard()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._prepare, name="nba-daily-start", daemon=True)
        self._timer = Timer(self.tick, settings.timer_minutes) if settings.timer_minutes else None
        self._reference: Reference | None = None
        self._state: State | None = None
        self._projections: OrderedDict[date, SlateProjection] = OrderedDict()
        self._projecting = threading.Lock()
        self._job_error: Exception | None = None
        self._ticking = threading.Lock()
        self._ticks_at_start = True
        self._runs_to_copy: set[str] = set()
        self._copies_compared = False

    # Life ---------------------------------------------------------------------------------------

    def start(self, *, ticks: bool = True) -> None:
        """Begin preparing, and ticking if the timer is on; `ticks` False leaves out every tick."""
        self._ticks_at_start = ticks
        self._thread.start()
        if ticks and self._timer is not None:
            self._timer.start()

    def close(self, flush_timeout_seconds: float = 5.0) -> None:
        """Stop the timer and the threads, publish what is pending, let go of the file.

        What runs gets `flush_timeout_seconds` to end, and the last upload as much again. Harmless
        when repeated.
        """
        self._closing.set()
        deadline = time.monotonic() + flush_timeout_seconds
        if self._timer is not None:
            self._timer.stop(flush_timeout_seconds)
        if self._thread.ident is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._state is not None:
            self._state.close(flush_timeout_seconds)

    def wake(self) -> None:
        """Somebody is looking: run a tick that is overdue, for instance after a sleep."""
        if self._timer is not None and not self._closing.is_set():
            self._timer.wake()

    def wait_until_prepared(self, *, timeout_seconds: float) -> Preparation:
        """Wait until reference and state are ready or have failed; whatever holds by then."""
        return self._board.wait(timeout_seconds=timeout_seconds, state=True)

    @property
    def preparation(self) -> Preparation:
        return self._board.current

    def _prepare(self) -> None:
        if self._prepare_reference():
            self._prepare_state()

    def _prepare_reference(self) -> bool:
        path = self.settings.state_folder / "reference.db"
        try:
            self._reference = Reference(
                build_reference(self.settings.data_folder, path, self._board.progress)
            )
        except Exception as error:
            self._board.update(reference_error=error, text="Past seasons cannot be read")
            if not isinstance(error, NbaError):
                raise
            return False
        self._board.update(reference_ready=True, fraction=1.0, text="Past seasons are ready")
        return True

    def _prepare_state(self) -> None:
        """Open and restore the state, again and again while that fails."""
        for failures in itertools.count(1):
            try:
                state = self._state = self._state or self._open_state()
                if self._closing.is_set():
                    state.close(0.0)
                    return
                _restore(state.replica)
                state.replica.start_publisher()
            except Exception as error:
                # A person must be able to see it, whatever it is.
                self._board.update(state_error=error)
                if not isinstance(error, EXPLAINED):
                    raise
                if isinstance(error, ConfigurationError):
                    # Settings are read once: waiting would not mend them.
                    return
                if self._closing.wait(self._pause_seconds(failures, error)):
                    return
            else:
                break
        self._board.update(state_ready=True, state_error=None)
        if self._ticks_at_start:
            self.tick()

    def _pause_seconds(self, failures: int, error: Exception) -> float:
        is_store = isinstance(error, StoreError)
        return backoff_seconds(
            failures,
            self._generator,
            base_seconds=_RETRY_BASE_SECONDS,
            cap_seconds=_STORE_RETRY_CAP_SECONDS if is_store else _OTHER_RETRY_CAP_SECONDS,
        )

    def _open_state(self) -> State:
        return open_state(
            self.settings,
            self.reference.path,
            clock=self.clock,
            generator=self._generator,
            on_logged=self._runs_to_copy.add,
        )

    # What can be read ---------------------------------------------------------------------------

    @property
    def reference(self) -> Reference:
        """The bundled seasons.

        Raises:
            NotReady: they are still being prepared, or cannot be had.
        """
        if self._reference is None:
            raise NotReady(
                "read past seasons", "reference", "They are not ready.", "Try again in a moment."
            )
        return self._reference

    @property
    def predictions(self) -> PredictionLog | None:
        """The prediction log, or None while the history is not here."""
        return self._state.predictions if self._state and self.preparation.state_ready else None

    def tonights_date(self) -> date | None:
        """The slate to show now; None after the last one. Raises NotReady."""
        return tonights_date(self.reference, self.clock())

    def projection(self, slate_date: date) -> SlateProjection:
        """The projection of one slate, computed once. Raises NotReady, UnknownSlate."""
        with self._projecting:
            if slate_date not in self._projections:
                self._projections[slate_date] = project_slate(self.reference, slate_date)
                if len(self._projections) > _KEPT_PROJECTIONS:
                    self._projections.popitem(last=False)
            self._projections.move_to_end(slate_date)
            return self._projections[slate_date]

    def known_dates(self) -> tuple[date, date]:
        """The first date with box scores and the last one on the schedule. Raises NotReady."""
        scheduled = [game.slate_date for game in self.reference.schedule()]
        bundled = self.reference.bundled_dates()
        return bundled[0], max(*scheduled, bundled[-1])

    def missing_seasons(self, slate_date: date) -> tuple[str, ...]:
        """Seasons between the newest box score and a slate of which nothing is known."""
        newest, season = season_of(self.reference.data_as_of()), season_of(slate_date)
        first_year = int(newest[:4])
        return tuple(
            season_of(date(first_year + years, 10, 1))
            for years in range(1, seasons_between(newest, season))
        )

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
            job_error=self._job_error,
            uses_folder=self.settings.uses_folder,
            is_deployed=self.settings.is_deployed,
        )

    # What happens by itself ---------------------------------------------------------------------

    def tick(self) -> None:
        """Catch up, log tonight if that is due, publish; the timer calls it.

        One part's failure does not keep the others from their work: tonight is logged locally
        while the store is away. What failed is kept for the status and tried again next time.
        """
        state = self._state
        if state is None or not self.preparation.state_ready:
            return
        with self._ticking:
            try:
                # First, so that what another copy of the app has logged is not logged again.
                _exchange(state.replica)
                log_tonight(state.predictions, self.reference, self.projection, self.clock())
                self._copy_runs(state)
            except Exception as error:
                self._job_error = error
                if not isinstance(error, EXPLAINED):
                    raise
            else:
                self._job_error = None

    def _copy_runs(self, state: State) -> None:
        """Put the readable copy of each logged run beside the state, once the state is saved."""
        if state.replica.status().pending_transactions:
            _exchange(state.replica)
        if state.replica.status().last_error is not None:
            return
        if not self._copies_compared:
            # An earlier process may have ended between saving a run and copying it.
            stored = {PurePosixPath(info.key).stem for info in state.storage.store.list("csv/")}
            own = (run for run in state.predictions.runs() if run.source != "imported")
            self._runs_to_copy.update(run.run_id for run in own if run.run_id not in stored)
            self._copies_compared = True
        failure: Exception | None = None
        for run_id in sorted(self._runs_to_copy):
            try:
                self._copy_run(state, run_id)
            except EXPLAINED as error:
                # One copy that cannot be made must not keep the others from being made.
                failure = failure or error
        if failure is not None:
            raise failure

    def _copy_run(self, state: State, run_id: str) -> None:
        try:
            pending = state.predictions.run(run_id).pending
        except UnknownRun:
            # The owner gave it up to follow another history.
            self._runs_to_copy.discard(run_id)
            return
        if not pending:
            state.storage.backup_predictions_csv(state.predictions.run_frame(run_id))
            self._runs_to_copy.discard(run_id)

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
        """Take results from a table. Raises NotPermitted, NotReady, TrackingError, ReplicaError."""
        self._require_owner(actor, "import results")
        state = self._ready_state("import results")
        report = state.predictions.record_results(frame, source)
        state.replica.request_sync()
        return report

    def back_up(self, actor: Actor) -> ObjectInfo:
        """Publish what is pending and keep a copy. Raises NotPermitted, NotReady, ReplicaError."""
        self._require_owner(actor, "back up")
        return self._ready_state("back up").replica.back_up("manual")

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

    def _ready_state(self, operation: str) -> State:
        now = self.preparation
        if self._state is None or not now.state_ready:
            problem = str(now.state_error) if now.state_error else "The history is being restored."
            raise NotReady(operation, "state", problem, "Try again when the sidebar says saved.")
        return self._state


def _restore(replica: Replica) -> None:
    """Restore, or go on with the local copy where there is one: the status says what is wrong."""
    try:
        replica.restore()
    except ReplicaError:
        if not replica.has_database:
            raise


def _exchange(replica: Replica) -> None:
    """Publish, catch up, and make a snapshot if one is due; one request if there is no news.

    What fails there is kept by the replica, for its status.
    """
    with contextlib.suppress(ReplicaError):
        replica.tick()
