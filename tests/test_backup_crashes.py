"""Each request of a job about backups fails once, or is its machine's last: nothing is lost."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jobs.authority import OWNER
from jobs.backup_names import is_snapshot, name_of
from jobs.backup_reading import read_backup
from jobs.backup_rounds import day_of, log_of
from jobs.backups import BackupKind, Rebuilding
from jobs.errors import JobError
from jobs.restoring import DATA_TABLES, Restoring, from_sequence, to_undo
from jobs.retention import Retention, decide
from prediction_tracking import REPLICATED_TABLES
from replica import Replica, ReplicaError, StoredObject, content_digest
from tests.applications import settings_for
from tests.backup_machines import Machine, machine
from tests.simulation.scheduler import Crash
from tests.stores import ManualClock, MemoryStore, unreachable

FEW = Retention(keep_last=1, keep_daily=2, keep_weekly=0, keep_monthly=0)
Job = Callable[[], object]
Interruption = AbstractContextManager[None]
Rows = dict[str, list[tuple[object, ...]]]
SOAK = pytest.mark.soak
WANTED = 7  # the entry that a restore goes back to


@dataclass(frozen=True)
class Past:
    """Two machines and their bucket before a round; `spared` is what no schedule forgets."""

    folder: Path
    now: datetime
    objects: dict[str, StoredObject]
    spared: frozenset[str]


@pytest.fixture(scope="module")
def past() -> Iterator[Past]:
    # In memory, if there is any to be had as a folder: each commit is synced.
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=parent) as name, pytest.MonkeyPatch.context() as patched:
        # One request after the other, so that they can be counted.
        defaults = {**(Replica.__init__.__kwdefaults__ or {}), "fetch_workers": 1}
        patched.setattr(Replica.__init__, "__kwdefaults__", defaults)
        yield past_in(Path(name))


def past_in(folder: Path) -> Past:
    """Three rounds; the first machine has something that is not in the log yet."""
    clock = ManualClock()
    store, elsewhere = MemoryStore(clock), MemoryStore(clock)
    with machine(folder / "foreign", elsewhere, clock) as foreign:
        foreign.write("f1")
        copied = foreign.backups.make(OWNER)
    with (
        machine(folder / "one", store, clock, keep=FEW) as one,
        machine(folder / "two", store, clock, keep=FEW) as two,
    ):
        one.write("g0")
        store.objects[copied.key] = elsewhere.objects[copied.key]
        one.backups.rebuild(OWNER)
        for day in range(3):
            clock.advance(days=1)
            one.write(f"g{1 + day}")
            one.write("g0", 90 + day)
            assert one.backups.keep_daily() is not None
            if day == 1:
                # So that a restore reads few entries.
                assert one.replica.snapshot().sequence == WANTED
        by_hand = one.backups.make(OWNER)
        two.replica.sync_now()
        assert sum(each.is_forgotten for each in two.catalogue()) == 1
        with one.replica.transaction() as transaction:
            transaction.execute("INSERT INTO players VALUES (7, 'Seven')")
    clock.advance(days=1)
    return Past(folder, clock.now, {**store.objects}, frozenset({copied.key, by_hand.key}))


class World:
    """The past once more, for one case; its disks replace those of the world before."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self.folder = past.folder / "world"
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("one", "two"):
            shutil.copytree(past.folder / name, self.folder / name)
        self.clock = ManualClock(past.now)
        self.store = MemoryStore(self.clock)
        self.store.objects |= past.objects

    def machine(self, name: str) -> AbstractContextManager[Machine]:
        return machine(self.folder / name, self.store, self.clock, keep=FEW)

    def restoring(self, one: Machine) -> Restoring:
        settings = settings_for(self.folder, None)
        return Restoring(settings, self.clock, lambda operation: one.state, one.backups)

    @contextmanager
    def interrupted(self, place: int, *, carried_out: bool, dies: bool) -> Iterator[None]:
        """The request of this number fails, and so does every later one."""
        numbers = count(1)

        def before(verb: str, key: str) -> None:
            number = next(numbers)
            error = Crash() if dies else unreachable(verb, key)
            if number == place and carried_out:
                self.store.fail(verb, key, error=error, after_effect=True)
            elif number >= place:
                raise error

        self.store.before = before
        with suppress(Crash, ReplicaError, JobError):
            yield
        self.store.before = lambda verb, key: None
        assert next(numbers) > place, "there are not that many"


def forget_and_prune(one: Machine, keys: frozenset[str]) -> None:
    one.backups.forget(OWNER, keys)
    one.backups.prune(OWNER)


def restore(world: World, one: Machine) -> Job:
    restoring = world.restoring(one)
    planned = restoring.plan(OWNER, from_sequence(WANTED))
    assert (planned.plan.rows_removed, planned.plan.rows_changed) == (2, 1)
    return lambda: restoring.restore(OWNER, planned)


JOBS: dict[str, Callable[[World, Machine], Job]] = {
    "daily": lambda world, one: one.backups.keep_daily,
    "prune": lambda world, one: lambda: forget_and_prune(one, world.past.spared),
    "make": lambda world, one: lambda: one.backups.make(OWNER),
    "restore": restore,
    "restore whole": restore,
}


def data(one: Machine) -> Rows:
    """The data tables, without what happens after the job."""
    with one.replica.read() as connection:
        tables = {table: [*connection.execute(f"SELECT * FROM {table}")] for table in DATA_TABLES}
    tables["games"] = [row for row in tables["games"] if not str(row[0]).startswith("later")]
    return {table: sorted(found, key=repr) for table, found in tables.items()}


def require_sound(world: World, two: Machine, job: str) -> None:
    """What is true of the bucket and its catalogue whatever has happened."""
    past, store, log_id = world.past, world.store, log_of(two.state)
    there, catalogue = {*store.keys("backups/")}, two.catalogue()
    kept = decide(catalogue, FEW, log_id=log_id, now=world.clock()).kept
    assert {each.backup.key for each in kept} <= there
    for each in catalogue:
        if each.log_id == log_id and not each.is_forgotten:
            assert read_backup(store, store.objects[each.key].info, world.folder) == each
    assert there == {each.key for each in catalogue}
    assert two.backups.rebuild(OWNER) == Rebuilding(len(catalogue), (), (), (), (), ())
    asked = {key for verb, key in store.requests if verb == "delete"}
    assert all(name_of(key) is not None or is_snapshot(key) for key in asked)
    assert past.objects.keys() - store.objects.keys() <= asked
    assert job == "prune" or past.spared <= there
    stored_keys = past.objects.keys() | {key for verb, key in store.requests if verb == "put"}
    names = [name for key in stored_keys if (name := name_of(key)) is not None]
    days = Counter(day_of(name.made_at) for name in names if name.kind is BackupKind.DAILY)
    assert sum(days.values()) <= len(days) + 1, "one crash makes one more at most"
    # Whatever the catalogue makes of them.
    assert {*sorted(days)[-2:]} <= {day_of(name.made_at) for name in names if name.key in there}


def require_listed(world: World, one: Machine, two: Machine, *, came_about: bool) -> None:
    """The list of restores says of one that it was finished if, and only if, it came about."""
    restoring = world.restoring(one)
    listed = restoring.done(OWNER)
    assert world.restoring(two).done(OWNER) == listed
    if came_about:
        [done] = listed
        entry = restoring.plan(OWNER, to_undo(done)).plan.undone[0]
        assert (entry.sequence, entry.transactions) == (done.sequence, (done.restore_id,))
    else:
        assert [each.sequence for each in listed] in ([], [None])


def go_on(world: World, job: str, end: Interruption, then: str, days: int) -> tuple[Rows, Rows]:
    """Interrupt a job, let both machines go on, and look; the data tables before and after."""
    with ExitStack() as both:
        with ExitStack() as first:
            one = first.enter_context(world.machine("one"))
            act, before = JOBS[job](world, one), data(one)
            with end:
                act()
                one.replica.sync_now()
            if then == "away":
                both.push(first.pop_all())
        two = both.enter_context(world.machine("two"))
        two.backups.keep_daily()
        for day in range(days):
            world.clock.advance(days=1)
            two.write(f"later, {day}")
            assert two.backups.keep_daily() is not None
        two.replica.sync_now()
        if then != "away":
            one = both.enter_context(world.machine("one"))
        one.replica.sync_now()
        assert one.backups.keep_daily() is None
        world.clock.advance(days=1)
        one.write("later, one")
        assert one.backups.keep_daily() is not None
        one.replica.sync_now()
        two.replica.sync_now()
        require_sound(world, two, job)
        digests = [content_digest(each.replica.path, "", REPLICATED_TABLES) for each in (one, two)]
        assert digests[0] == digests[1]
        after = data(one)
        if job.startswith("restore"):
            require_listed(world, one, two, came_about=after != before)
        return before, after


# What it was about may be forgotten and deleted after four days.
@pytest.mark.parametrize("days", [1, pytest.param(4, marks=SOAK)], ids="days {}".format)
@pytest.mark.parametrize("then", ["away", pytest.param("closed", marks=SOAK), "dead"])
@pytest.mark.parametrize("carried_out", [False, True], ids=["not carried out", "answer lost"])
@pytest.mark.parametrize("job", JOBS)
def test_any_request_fails(
    past: Past, job: str, carried_out: bool, then: str, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine is away for days then, and closed meanwhile, or dead where it stands."""
    if job == "restore whole":
        # As a large one travels: a content of its own, and an entry that names it.
        monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", 0)
    world, came_about = World(past), []
    with world.machine("one") as one:
        act = JOBS[job](world, one)
        world.store.requests.clear()
        act()
        one.replica.sync_now()
        wanted = data(one)
    for place, (verb, key) in enumerate(world.store.requests, start=1):
        if carried_out and verb not in ("put", "delete"):
            continue
        world = World(past)
        end = world.interrupted(place, carried_out=carried_out, dies=then == "dead")
        try:
            before, after = go_on(world, job, end, then, days)
            assert after in (before, wanted)
        except Exception as error:
            error.add_note(f"It was request {place}: {verb} {key}")
            raise
        came_about.append(after == wanted)
    # What was pending is never lost; a restore is not done until its entry is there.
    assert came_about == sorted(came_about)
    assert {*came_about} == ({False, True} if job.startswith("restore") else {True})


def test_a_backup_without_a_row_hides_no_later_change(past: Past) -> None:
    """The round that finds it changes the catalogue once, for two backups."""
    world = World(past)
    with world.machine("one") as one:
        left = one.replica.back_up("manual")
        assert one.backups.keep_daily() is not None
        assert left.key in [each.key for each in one.catalogue()]
        one.replica.sync_now()
        world.clock.advance(days=1)
        assert one.backups.keep_daily() is None, "nothing has changed but the catalogue"
        one.write("g9")
        assert one.backups.keep_daily() is not None


def test_a_row_that_comes_when_its_backup_was_let_go_is_no_alarm(past: Past) -> None:
    """Others found the backup, kept it as long as the rules say, and deleted it."""
    world = World(past)
    with world.machine("one") as one, world.machine("two") as two:
        one.backups.keep_daily()
        made = one.catalogue()[-1]
        for day in range(4):
            two.replica.sync_now()
            two.backups.keep_daily()
            world.clock.advance(days=1)
            two.write(f"later, {day}")
        assert made.key not in world.store.objects
        one.replica.sync_now()
        assert made in one.catalogue()
        assert one.backups.keep_daily() is not None
        assert made not in one.catalogue()
