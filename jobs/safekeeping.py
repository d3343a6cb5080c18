"""What looks after the saved history while nobody does: slow, and in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jobs.backups import Backups
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.drill import Drills, drill_folder
from jobs.errors import NotReady
from jobs.restoring import Restoring
from jobs.state import State
from jobs.ticking import Chores

__all__ = ["Safekeeping"]


class Safekeeping:
    """Runs what may take as long as it likes: nothing that has to be done in time waits for it.

    `state` gives the open state for an operation in words, or raises NotReady. `also` are further
    jobs that are done in each turn, after the others; each decides itself whether it is due.
    `without_store` are jobs for turns in which the store fails: they need none.

    Attributes:
        backups: the copies that are kept.
        restoring: the way back.
        drills: whether it can be gone.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        state: Callable[[str], State],
        *,
        also: Sequence[Callable[[], None]] = (),
        without_store: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._state = state
        self.backups = Backups(settings, clock, state)
        self.restoring = Restoring(settings, clock, state, self.backups)
        self.drills = Drills(
            lambda: state("try a restore").storage,
            drill_folder(settings.database_path),
            clock,
            settings.owner,
        )
        self._also, self._without_store = tuple(also), tuple(without_store)
        self._chores = Chores()

    @property
    def error(self) -> Exception | None:
        """What failed in the last turn."""
        return self._chores.error

    def run(self) -> None:
        """Do what is due: the backup of the day, a restore drill, and what else there is.

        Does nothing while the history is not here.
        """
        try:
            status = self._state("look after the history").replica.status()
        except NotReady:
            return
        # What is wrong with the store is in the replica's own account already.
        if status.last_error is None:
            # In this order: what is tried is the newest backup.
            self._chores.run(self._keep_backups, self._drill, *self._also)
        else:
            self._chores.run(*self._without_store)

    def stop(self) -> None:
        """Let a drill that runs end before its next request."""
        self.drills.stop()

    def _keep_backups(self) -> None:
        self.backups.keep_daily()

    def _drill(self) -> None:
        # What it finds is in its record, for the status.
        self.drills.run_if_due()
