"""What the backup of the day makes of lost logs, unreadable uploads and wrong clocks."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs import backup_reading
from jobs.authority import OWNER
from jobs.backups import BackupCheckFailed, UnknownBackup
from jobs.retention import OF_ANOTHER_LOG, Retention
from replica import AccessDenied, DiskFull, PutMode, ReplicaError, SnapshotCorrupt
from tests.backup_machines import Machine, machine
from tests.stores import ManualClock, MemoryStore, corrupted, denied, truncated

FEW = Retention(keep_last=1, keep_daily=2, keep_weekly=0, keep_monthly=0)


@pytest.fixture
def one(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Iterator[Machine]:
    with machine(tmp_path / "one", store, clock, keep=FEW) as opened:
        opened.write("g1")
        yield opened


def kept(store: MemoryStore) -> list[str]:
    return store.keys("backups/")


def a_day(each: Machine, clock: ManualClock) -> str | None:
    """Something happens, and the next day's round is due; the key of what it makes."""
    each.write(f"{clock.now}")
    clock.advance(days=1)
    made = each.backups.keep_daily()
    each.replica.sync_now()
    return None if made is None else made.key


def lose_the_log(one: Machine, store: MemoryStore) -> None:
    """Everything but the backups is emptied, and the owner begins a new log."""
    for key in [key for key in store.objects if not key.startswith("backups/")]:
        del store.objects[key]
    one.replica.start_new_log()


# A log that was lost ------------------------------------------------------------------------------


def test_after_a_new_log_there_is_a_backup_each_day(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    """The new log's numbers are small: they say nothing about the earlier log's backups."""
    for _ in range(8):
        assert a_day(one, clock) is not None
    clock.advance(minutes=10)
    lose_the_log(one, store)
    for _ in range(8):
        assert a_day(one, clock) is not None


def test_the_backups_of_a_lost_log_are_for_a_person_to_forget(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    for _ in range(4):
        a_day(one, clock)
    earlier = one.catalogue()
    [marked, *spared] = [backup.key for backup in earlier]
    assert [backup.is_forgotten for backup in earlier] == [True, False, False]
    lose_the_log(one, store)
    for _ in range(6):
        a_day(one, clock)
    # Not even what was marked before is deleted by itself: nothing else has what the log had.
    assert {marked, *spared} <= set(kept(store))
    reasons = {entry.backup.key: entry.reasons for entry in one.backups.listed(OWNER)}
    assert reasons[spared[-1]] == (OF_ANOTHER_LOG,)
    assert one.backups.forget(OWNER, dry_run=True).forgotten == ()
    one.backups.forget(OWNER, spared)
    assert set(one.backups.prune(OWNER).deleted) >= {marked, *spared}


def test_a_backup_from_another_bucket_is_no_backup_of_the_day(
    one: Machine, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    elsewhere = MemoryStore(clock)
    with machine(tmp_path / "foreign", elsewhere, clock) as foreign:
        for number in range(20):
            foreign.write(f"f{number}")
        clock.advance(hours=1)
        copied = foreign.backups.make(OWNER)
    store.objects[copied.key] = elsewhere.objects[copied.key]
    assert a_day(one, clock) is not None
    found = {backup.key: backup.log_id for backup in one.catalogue()}
    assert found[copied.key] == copied.log_id != one.catalogue()[-1].log_id
    assert a_day(one, clock) is not None, "its high number hides nothing"


# An upload that cannot be read back ---------------------------------------------------------------


def every_five_minutes(one: Machine, clock: ManualClock, ticks: int) -> list[Exception]:
    """What a timer is told."""
    told: list[Exception] = []
    for _ in range(ticks):
        clock.advance(minutes=5)
        try:
            one.backups.keep_daily()
        except (ReplicaError, BackupCheckFailed) as error:
            told.append(error)
    return told


def test_what_may_not_be_read_is_stored_once(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    original = store.before

    def refuse(verb: str, key: str) -> None:
        original(verb, key)
        if verb == "get" and key.startswith("backups/"):
            raise denied(verb, key)

    store.before = refuse
    clock.advance(days=1)
    told = every_five_minutes(one, clock, 24)
    assert [type(error) for error in told] == [AccessDenied] * 24
    [key] = kept(store)
    store.before = original
    made = one.backups.keep_daily()
    assert made is not None
    assert made.key == key, "that one is the day's"
    assert [backup.key for backup in one.catalogue()] == [key]


def test_a_full_disk_uploads_nothing_again(
    one: Machine, store: MemoryStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise DiskFull("read back", "backup.db")

    clock.advance(days=1)
    with monkeypatch.context() as patched:
        patched.setattr(backup_reading, "write_backup", full)
        assert len(every_five_minutes(one, clock, 24)) == 24
    assert len(kept(store)) == 1
    assert one.backups.keep_daily() is not None
    assert len(kept(store)) == 1


def test_one_that_comes_back_damaged_is_looked_at_twice_and_told_all_day(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    clock.advance(days=1)
    original = store.before

    def spoil(verb: str, key: str) -> None:
        original(verb, key)
        if verb == "get" and key.startswith("backups/"):
            store.objects.setdefault(f"spoilt/{key}", store.objects[key])
            if store.objects[key] is store.objects[f"spoilt/{key}"]:
                store.damage(key, truncated)

    store.before = spoil
    store.requests.clear()
    told = every_five_minutes(one, clock, 24)
    assert [type(error) for error in told] == [SnapshotCorrupt] + [BackupCheckFailed] * 23
    [key] = kept(store)
    assert store.requests.count(("get", key)) == 4, "each look asks twice"
    store.before = original
    assert "forget" in str(told[-1])
    # The next day has a backup again, and the damaged one is told until it is taken away.
    clock.advance(days=1)
    with pytest.raises(BackupCheckFailed, match=key):
        one.backups.keep_daily()
    assert len(one.catalogue()) == 1
    one.backups.forget(OWNER, [key])
    assert one.backups.prune(OWNER).deleted == (key,)
    assert one.backups.keep_daily() is None


# What is wrong, and for how long it is told -------------------------------------------------------


@pytest.fixture
def troubled(one: Machine, store: MemoryStore, clock: ManualClock) -> str:
    """Somebody's damaged backup that was never catalogued; its key."""
    left = one.replica.back_up("manual")
    store.damage(left.key, truncated)
    with pytest.raises(BackupCheckFailed, match=left.key):
        a_day(one, clock)
    return left.key


def test_each_time_it_is_told_it_is_another_error(one: Machine, troubled: str) -> None:
    told: list[Exception] = []
    for _ in range(3):
        with pytest.raises(BackupCheckFailed) as raised:
            one.backups.keep_daily()
        told.append(raised.value)
    assert len({id(error) for error in told}) == 3
    assert len({len(traceback.extract_tb(error.__traceback__)) for error in told}) == 1
    assert len({str(error) for error in told}) == 1


def test_a_refused_delete_is_another_error_each_time(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    original = store.before

    def refuse(verb: str, key: str) -> None:
        original(verb, key)
        if verb == "delete":
            raise denied(verb, key)

    for _ in range(3):
        a_day(one, clock)
    store.before = refuse
    told: list[AccessDenied] = []
    for _ in range(3):
        with pytest.raises(AccessDenied, match="s3:DeleteObject") as raised:
            a_day(one, clock) if not told else one.backups.keep_daily()
        told.append(raised.value)
    assert len({id(error) for error in told}) == 3
    assert len({str(error) for error in told}) == 1


@pytest.mark.parametrize("mend", ["forget and prune", "take away and rebuild"])
def test_what_is_mended_is_told_no_longer(
    one: Machine, store: MemoryStore, troubled: str, mend: str
) -> None:
    if mend == "forget and prune":
        one.backups.forget(OWNER, [troubled])
        one.backups.prune(OWNER)
    else:
        del store.objects[troubled]
        assert one.backups.rebuild(OWNER).damaged == ()
    assert one.backups.keep_daily() is None


def test_a_rebuild_that_finds_it_still_damaged_does_not_silence_it(
    one: Machine, troubled: str
) -> None:
    assert len(one.backups.rebuild(OWNER).damaged) == 1
    with pytest.raises(BackupCheckFailed):
        one.backups.keep_daily()


def test_another_machines_round_says_what_is_wrong_from_then_on(
    one: Machine, store: MemoryStore, clock: ManualClock, tmp_path: Path, troubled: str
) -> None:
    del store.objects[troubled]
    with machine(tmp_path / "other", store, clock, keep=FEW) as other:
        assert a_day(other, clock) is not None
    one.replica.sync_now()
    assert one.backups.keep_daily() is None


def test_many_problems_are_counted(one: Machine, store: MemoryStore, clock: ManualClock) -> None:
    for _ in range(8):
        one.backups.make(OWNER)
        clock.advance(seconds=1)
    for key in kept(store):
        del store.objects[key]
    with pytest.raises(BackupCheckFailed, match=r"And 3 more\.") as raised:
        a_day(one, clock)
    assert str(raised.value).count("the catalogue has it") == 5


def test_what_was_forgotten_may_be_gone(
    one: Machine, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    """A prune tells the others what is forgotten before it deletes."""
    made = one.backups.make(OWNER)
    with machine(tmp_path / "other", store, clock, keep=FEW) as other:
        other.write("g2")
        clock.advance(days=1)
        one.backups.forget(OWNER, [made.key])
        one.backups.prune(OWNER)
        # The row's end is not in the log yet, its mark is.
        assert other.backups.keep_daily() is not None


# A wrong clock ------------------------------------------------------------------------------------


def test_a_backup_dated_in_the_future_stops_nothing(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    clock.advance(days=400)
    future = one.backups.make(OWNER)
    clock.advance(days=-400)
    for _ in range(5):
        assert a_day(one, clock) is not None
        assert one.backups.keep_daily() is None, "one a day is enough"
    assert future.key in kept(store)
    assert one.backups.listed(OWNER)[0].backup == future


# Forgotten by name --------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", [truncated, corrupted, lambda body: b""])
def test_what_never_came_into_the_catalogue_is_forgotten_by_name(
    one: Machine, store: MemoryStore, harm: Callable[[bytes], bytes]
) -> None:
    sound = one.backups.make(OWNER)
    left = one.replica.back_up("manual")
    store.damage(left.key, harm)
    [told] = one.backups.rebuild(OWNER).damaged
    assert left.key in told
    dry = one.backups.forget(OWNER, [left.key], dry_run=True)
    assert [backup.key for backup in dry.forgotten] == [left.key]
    assert one.catalogue() == [sound]
    one.backups.forget(OWNER, [left.key])
    assert one.backups.prune(OWNER).deleted == (left.key,)
    assert one.backups.rebuild(OWNER).damaged == ()
    assert kept(store) == [sound.key]


def test_forgotten_by_name_it_is_described_by_the_next_rebuild(
    one: Machine, store: MemoryStore
) -> None:
    """It was sound, and only not catalogued."""
    left = one.replica.back_up("manual")
    one.backups.forget(OWNER, [left.key])
    [before] = one.catalogue()
    assert (before.sequence, before.sha256) == (0, "")
    assert one.backups.rebuild(OWNER).changed == (left.key,)
    [after] = one.catalogue()
    assert (after.forgotten_at, after.sequence) == (before.forgotten_at, 2)
    assert len(after.sha256) == 64


def test_only_a_backup_can_be_forgotten_by_name(one: Machine, store: MemoryStore) -> None:
    store.put("backups/notes.txt", b"mine", PutMode.CREATE)
    for key in ("backups/notes.txt", "head.json", "backups/2020-01-01T00-00-00Z-manual.db.zst"):
        with pytest.raises(UnknownBackup, match="find a backup"):
            one.backups.forget(OWNER, [key])
    assert one.catalogue() == []


# A prune looks first ------------------------------------------------------------------------------


def test_a_prune_stops_where_the_newest_that_is_kept_is_not_sound(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    """What it would delete is the only copy that is of use."""
    sound = one.backups.make(OWNER)
    clock.advance(hours=1)
    newest = one.backups.make(OWNER)
    one.backups.forget(OWNER, [sound.key])
    store.damage(newest.key, corrupted)
    answer = one.backups.prune(OWNER)
    assert answer.deleted == ()
    assert newest.key in answer.problems[0]
    assert answer.problems[-1].startswith("So nothing was deleted: ")
    assert kept(store) == [sound.key, newest.key]
    del store.objects[newest.key]
    assert one.backups.prune(OWNER).deleted == ()
    assert kept(store) == [sound.key]
    one.backups.rebuild(OWNER)
    assert one.backups.prune(OWNER).deleted == (sound.key,), "nothing is to be kept any more"
