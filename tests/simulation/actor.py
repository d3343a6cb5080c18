"""One place where the program runs: a disk, and on it one process after the other."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import apsw

from jobs.rehearsal import Copy
from replica import DiskFull, ObjectStore, Replica, Transaction
from replica.probe import ProbeResult, StoreMode
from tests.simulation.bucket import Bucket
from tests.simulation.claims import Claims
from tests.simulation.disks import (
    BEFORE_COMMIT,
    DATABASE,
    Image,
    check_whole,
    read_image,
    write_image,
)
from tests.simulation.model import (
    MIGRATIONS,
    Change,
    Model,
    RowKey,
    Written,
    note_backup,
    tables_of,
    write_something,
)
from tests.simulation.scheduler import Crash, Task
from tests.simulation.wire import CALM, Weather, Wire

__all__ = ["Actor", "Disk", "Process", "Surroundings"]

_OLD_IMAGES = 3


@dataclass
class Surroundings:
    """What all actors of a run share. ``crash_rate`` is per place where a process can die."""

    seed: int
    random: Random
    folder: Path
    bucket: Bucket
    claims: Claims
    model: Model
    counts: Counter[str]
    tell: Callable[[str], None]
    weather: Weather = CALM
    crash_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk as it is or was; ``acknowledged`` are the transactions that were committed on it."""

    image: Image = field(default_factory=dict)
    acknowledged: frozenset[str] = frozenset()


class Process:
    """A replica while its process lives; all that concerns it ends with ``dead``."""

    def __init__(self, around: Surroundings, owner: str, number: int) -> None:
        self.name = f"{owner}{number}"
        self.folder = around.folder / self.name
        self.dead = False
        self.task: Task | None = None
        self.operation = ""
        self.restored = False
        self.moved = False
        self.last_error: BaseException | None = None
        self.refused = False
        self.disk_full = False
        self.left_behind: Image = {}
        self.tables: tuple[str, ...] = ()
        self._replica: Replica | None = None
        self._around = around
        self._skew = timedelta(seconds=around.random.randrange(-4000, 4000))
        self.wire = Wire(
            owner,
            around.bucket,
            around.claims,
            around.random,
            around.weather,
            self.seam,
            self.tell,
        )

    @property
    def replica(self) -> Replica:
        if self._replica is None:
            raise AssertionError(f"{self.name} has not been opened")
        return self._replica

    def open(self, image: Image, version: int) -> None:
        """Open the replica on what the disk holds."""
        write_image(image, self.folder)
        self.tables = tables_of(version)
        self._replica = Replica(
            self.folder / DATABASE,
            self.wire,
            MIGRATIONS[:version],
            tables=self.tables,
            clock=self._clock,
            random=Random(f"{self._around.seed} {self.name}"),
            prepare_first=_put_ballast,
            probe=_trust,
            fetch_workers=1,
        )

    def close(self) -> None:
        """Let go of the files; nothing is sent any more."""
        if self.task is not None:
            self.task.kill()
        if self._replica is not None:
            self._replica.close(0)

    def tell(self, text: str) -> None:
        self._around.tell(f"{self.name} {text}")

    def seam(self, what: str) -> None:
        """A place where the process may die."""
        if self.dead:
            raise Crash()
        if self.disk_full and what == BEFORE_COMMIT:
            raise apsw.FullError("database or disk is full")
        if self._around.random.random() < self._around.crash_rate:
            self.die(what)
            raise Crash()

    def die(self, what: str) -> None:
        """Keep what the disk holds at this moment; nothing that still runs counts any more."""
        self.tell(f"dies {what}")
        self.left_behind = read_image(self.folder)
        self.dead = True

    def _clock(self) -> datetime:
        return self._around.bucket.clock.now + self._skew


class Actor:
    """``process`` is None while the machine is down, ``proven`` until a drill has proved a copy."""

    def __init__(self, around: Surroundings, name: str, version: int) -> None:
        self.around = around
        self.name = name
        self.version = version
        self.disk = Disk()
        self.process: Process | None = None
        self.acknowledged: set[str] = set()
        self.proven: Copy | None = None
        self._old_disks: list[Disk] = []
        self._started = 0

    @property
    def idle(self) -> bool:
        return self.process is not None and self.process.task is None

    @property
    def busy(self) -> bool:
        return self.process is not None and self.process.task is not None

    def start(self) -> None:
        """Open the replica on what the disk holds; the process can die at once."""
        self._started += 1
        process = self.process = Process(self.around, self.name, self._started)
        process.tell(f"starts, version {self.version}")
        self.acknowledged = set(self.disk.acknowledged)
        try:
            process.open(self.disk.image, self.version)
        except BaseException:
            if not process.dead:
                raise
            self.bury()

    def reached(self, path: str, what: str) -> None:
        """A local step of one of this actor's processes."""
        if self.process is not None and path.startswith(f"{self.process.folder}/"):
            self.process.seam(what)

    def write(self, *, give_up: bool) -> None:
        """Commit something; ``give_up`` has the block end with an exception of the caller's."""
        model, random = self.around.model, self.around.random

        def something(transaction: Transaction) -> Mapping[RowKey, Change]:
            changes = write_something(model, random, transaction, self.name)
            if give_up:
                raise _GivenUp
            if random.random() < 0.1:
                sql = "INSERT OR REPLACE INTO local_notes VALUES ('last', ?)"
                transaction.execute(sql, (transaction.id,))
            return changes

        with suppress(_GivenUp):
            self._commit(something)

    def note_backup(self, key: str, sha256: str) -> None:
        """Commit what the catalogue says of a backup."""
        model, random = self.around.model, self.around.random
        self._commit(lambda transaction: note_backup(model, random, transaction, key, sha256))

    def _commit(self, change: Callable[[Transaction], Mapping[RowKey, Change]]) -> None:
        process = self._require_process()
        model = self.around.model
        written: Written | None = None
        process.disk_full = self.around.random.random() < 0.02
        try:
            with process.replica.transaction() as transaction:
                written = Written(transaction.id, self.name, change(transaction))
                model.written[written.transaction_id] = written
        except DiskFull:
            # Whoever was told that nothing was changed must not find it in the log one day.
            process.tell("finds its disk full")
            if written is not None:
                del model.written[written.transaction_id]
            return
        finally:
            process.disk_full = False
        assert written is not None
        if process.dead:
            return
        model.acknowledged.add(written.transaction_id)
        if written.changes:
            self.acknowledged.add(written.transaction_id)
        process.tell(f"commits {written.describe()}")

    def keep_old_disk(self) -> None:
        """Remember the disk as it is now, to come back to."""
        process = self._require_process()
        disk = Disk(read_image(process.folder), frozenset(self.acknowledged))
        self._old_disks = [*self._old_disks[1 - _OLD_IMAGES :], disk]

    def bury(self) -> None:
        """Clear up after a process that has died, and decide what became of its disk."""
        self.around.counts["crashes"] += 1
        self._end()
        self._lose_disk()

    def stop(self, *, keep_disk: bool = False) -> None:
        """End the process in order, without a last exchange; a machine may come back as it was
        some time ago, or empty."""
        process = self._require_process()
        process.replica.close(0)
        process.die("in order")
        self._end()
        if not keep_disk:
            self._lose_disk()

    def _end(self) -> None:
        process = self._require_process()
        self.process = None
        process.close()
        check_whole(process.left_behind, process.folder.with_name(f"{process.name}-check"))
        shutil.rmtree(process.folder)
        self.disk = Disk(process.left_behind, frozenset(self.acknowledged))

    def _lose_disk(self) -> None:
        around = self.around
        chance = around.random.random()
        if chance < 0.25:
            around.tell(f"{self.name}: disk wiped")
            around.counts["wiped disks"] += 1
            self.disk = Disk()
            self.proven = None
        elif chance < 0.7 and self._old_disks:
            older = around.random.choice(self._old_disks)
            if older.image != self.disk.image:
                around.tell(f"{self.name}: disk rolled back")
                around.counts["rollbacks of disk"] += 1
                self.disk = older

    def _require_process(self) -> Process:
        if self.process is None:
            raise AssertionError(f"{self.name} is down")
        return self.process


class _GivenUp(Exception):
    """The caller's own reason to leave a transaction."""


def _trust(_store: ObjectStore, _random: Random) -> ProbeResult:
    return ProbeResult(StoreMode.MULTI_WRITER, ())


def _put_ballast(_store: ObjectStore, transaction: Transaction) -> None:
    """Enough for a published database to be told from a published change."""
    random = Random(0)
    rows: Sequence[tuple[str, str]] = [
        (f"ballast {number}", random.randbytes(150).hex()) for number in range(40)
    ]
    transaction.executemany("INSERT INTO ballast (name, body) VALUES (?, ?)", rows)
