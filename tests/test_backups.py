"""Backups: made and read back, forgotten, pruned, and found again from the bucket alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from jobs.authority import OWNER, VISITOR
from jobs.backups import Backup, BackupCheckFailed, BackupKind, Backups, UnknownBackup
from jobs.errors import NotPermitted
from jobs.retention import BY_PERSON, Retention, decide
from replica import (
    AccessDenied,
    NewerSchema,
    NotADatabase,
    ObjectNotFound,
    PutMode,
    SnapshotCorrupt,
    StoreUnreachable,
)
from replica.log import log_key
from replica.snapshot import read_metadata
from tests.backup_machines import Machine, machine
from tests.stores import ManualClock, MemoryStore, corrupted, denied, truncated, unreachable
from tracking.backup_catalogue import KeptBy, delete_backups, write_backups

NIGHT = datetime(2026, 11, 20, 9, tzinfo=UTC)  # 04:00 Eastern: the evening of the 19th
FEW = Retention(keep_last=1, keep_daily=2, keep_weekly=0, keep_monthly=0)


@pytest.fixture
def one(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Iterator[Machine]:
    with machine(tmp_path / "one", store, clock) as opened:
        opened.write("g1")
        yield opened


def kept(store: MemoryStore) -> list[str]:
    return store.keys("backups/")


def drop_catalogue(one: Machine) -> None:
    """As if it had never been written."""
    with one.replica.transaction() as transaction:
        delete_backups(transaction, [backup.key for backup in one.catalogue()])
    one.replica.sync_now()


def put(one: Machine, backup: Backup) -> None:
    with one.replica.transaction() as transaction:
        write_backups(transaction, [backup])
    one.replica.sync_now()


# One backup ---------------------------------------------------------------------------------------


def test_a_backup_is_read_back_and_catalogued(one: Machine, store: MemoryStore) -> None:
    store.requests.clear()
    made = one.backups.make(OWNER)
    [key] = kept(store)
    metadata = read_metadata(store.objects[key].body, key)
    assert made == Backup(
        key="backups/2026-11-20T18-00-00Z-manual.db.zst",
        kind=BackupKind.MANUAL,
        made_at=datetime(2026, 11, 20, 18, tzinfo=UTC),
        sequence=2,
        log_id=metadata.log_id,
        size_bytes=len(store.objects[key].body),
        row_count=1,
        sha256=metadata.sha256,
        compression="zstd",
        kept_by=KeptBy.PERSON,
    )
    assert one.catalogue() == [made]
    assert store.requests.count(("get", key)) == 1
    one.replica.sync_now()
    assert store.numbers() == [1, 2, 3], "the catalogue's row travels in the log"


def test_what_is_pending_is_in_it(one: Machine) -> None:
    with one.replica.transaction() as transaction:
        transaction.execute("INSERT INTO players VALUES (7, 'Seven')")
    assert one.backups.make(OWNER).row_count == 2


def test_the_catalogue_is_not_counted(one: Machine) -> None:
    first = one.backups.make(OWNER)
    assert one.backups.make(OWNER).row_count == first.row_count


def test_a_backup_that_comes_back_damaged_is_told_and_not_listed(
    one: Machine, store: MemoryStore
) -> None:
    # Twice: once it may have been damaged on its way.
    for _ in range(2):
        store.fail("get", "backups/", change=corrupted)
    with pytest.raises(SnapshotCorrupt, match="manual"):
        one.backups.make(OWNER)
    assert one.catalogue() == []
    assert len(kept(store)) == 1, "what was stored may be sound all the same"


def test_once_damaged_on_its_way_is_no_damage(one: Machine, store: MemoryStore) -> None:
    store.fail("get", "backups/", change=truncated)
    assert one.backups.make(OWNER) in one.catalogue()


def test_a_store_that_is_away_is_told(one: Machine, store: MemoryStore) -> None:
    store.away = True
    with pytest.raises(StoreUnreachable):
        one.backups.make(OWNER)
    assert one.catalogue() == []


@pytest.mark.parametrize(
    "act",
    [
        lambda jobs, to: jobs.make(VISITOR),
        lambda jobs, to: jobs.listed(VISITOR),
        lambda jobs, to: jobs.forget(VISITOR),
        lambda jobs, to: jobs.prune(VISITOR),
        lambda jobs, to: jobs.rebuild(VISITOR),
        lambda jobs, to: jobs.download(VISITOR, "backups/x", to),
    ],
)
def test_all_of_it_is_the_owners(
    one: Machine, store: MemoryStore, tmp_path: Path, act: Callable[[Backups, Path], object]
) -> None:
    one.backups.make(OWNER)
    before, objects = one.catalogue(), dict(store.objects)
    with pytest.raises(NotPermitted):
        act(one.backups, tmp_path / "copy.db")
    assert (one.catalogue(), store.objects) == (before, objects)
    assert not (tmp_path / "copy.db").exists()


def test_the_list_says_why_each_is_kept(one: Machine, clock: ManualClock) -> None:
    one.backups.make(OWNER)
    clock.advance(minutes=1)
    one.backups.make_before(BackupKind.BEFORE_RESTORE)
    listed = one.backups.listed(OWNER)
    assert [entry.backup.kind for entry in listed] == [
        BackupKind.BEFORE_RESTORE,
        BackupKind.MANUAL,
    ]
    assert listed[0].reasons[0] == "the newest"
    assert listed[1].reasons == (BY_PERSON,)


# Forget and prune ---------------------------------------------------------------------------------


@pytest.fixture
def dailies(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Iterator[Machine]:
    """Five daily backups, one by hand in their middle, of which the rules keep three."""
    with machine(tmp_path / "one", store, clock, keep=FEW, daily=False) as opened:
        for day in range(5):
            opened.write(f"g{day}")
            opened.backups.make_before(BackupKind.DAILY)
            if day == 2:
                opened.backups.make(OWNER)
            clock.advance(days=1)
        opened.replica.sync_now()
        yield opened


def test_a_dry_run_marks_nothing(dailies: Machine, store: MemoryStore) -> None:
    before = dailies.catalogue()
    answer = dailies.backups.forget(OWNER, dry_run=True)
    assert [backup.made_at.day for backup in answer.forgotten] == [20, 21, 22]
    assert [one.backup.made_at.day for one in answer.kept] == [22, 23, 24]
    assert dailies.catalogue() == before
    assert dailies.replica.status().pending_transactions == 0


def test_to_forget_deletes_nothing_and_to_prune_deletes_only_that(
    dailies: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    everything = dict(store.objects)
    answer = dailies.backups.forget(OWNER)
    forgotten = [one for one in dailies.catalogue() if one.is_forgotten]
    assert [one.key for one in forgotten] == [one.key for one in answer.forgotten]
    assert {one.forgotten_at for one in forgotten} == {clock.now}
    assert everything.keys() <= store.objects.keys()

    pruned = dailies.backups.prune(OWNER)
    assert list(pruned.deleted) == [one.key for one in forgotten]
    assert pruned.freed_bytes == sum(one.size_bytes for one in forgotten)
    assert pruned.problems == ()
    gone = everything.keys() - store.objects.keys()
    assert gone == set(pruned.deleted), "neither the log nor a snapshot lost anything"
    assert [one.key for one in dailies.catalogue()] == kept(store)

    again = dailies.backups.forget(OWNER), dailies.backups.prune(OWNER)
    assert (again[0].forgotten, again[1].deleted) == ((), ())


def test_what_a_person_keeps_has_to_be_named(dailies: Machine, store: MemoryStore) -> None:
    [manual] = [one for one in dailies.catalogue() if one.kind is BackupKind.MANUAL]
    answer = dailies.backups.forget(OWNER, [manual.key])
    assert answer.forgotten == (manual,), "and nothing besides"
    assert dailies.backups.prune(OWNER).deleted == (manual.key,)
    assert manual.key not in kept(store)


def test_an_unknown_name_is_refused_and_nothing_is_marked(dailies: Machine) -> None:
    before = dailies.catalogue()
    with pytest.raises(UnknownBackup, match="backups/none"):
        dailies.backups.forget(OWNER, [before[0].key, "backups/none"])
    assert dailies.catalogue() == before


def test_a_prune_that_is_refused_loses_nothing(dailies: Machine, store: MemoryStore) -> None:
    dailies.backups.forget(OWNER)
    forgotten = [one.key for one in dailies.catalogue() if one.is_forgotten]
    original = store.before

    def refuse(verb: str, key: str) -> None:
        original(verb, key)
        if verb == "delete" and key == forgotten[1]:
            raise denied(verb, key)

    store.before = refuse
    with pytest.raises(AccessDenied, match="s3:DeleteObject"):
        dailies.backups.prune(OWNER)
    # What is gone is out of the list, what is not is in it still.
    assert forgotten[0] not in kept(store)
    assert [one.key for one in dailies.catalogue()] == kept(store)
    store.before = original
    assert list(dailies.backups.prune(OWNER).deleted) == forgotten[1:]


@pytest.mark.parametrize(
    "key", [log_key(1), "bases/x.db.zst", "head.json", "csv/a.csv", "backups/../log/1"]
)
def test_nothing_but_a_backup_is_ever_deleted(
    dailies: Machine, store: MemoryStore, key: str
) -> None:
    """Whatever somebody has put into the catalogue."""
    store.objects.setdefault(key, store.objects[log_key(1)])
    [first, *_] = dailies.catalogue()
    put(dailies, replace(first, key=key, forgotten_at=first.made_at))
    assert dailies.backups.prune(OWNER).deleted == ()
    assert key in store.objects


def test_the_check_after_a_prune_finds_what_is_missing(
    dailies: Machine, store: MemoryStore
) -> None:
    newest = dailies.catalogue()[-1]
    del store.objects[newest.key]
    assert dailies.backups.prune(OWNER).problems == (
        f"{newest.key}: the catalogue has it, and the bucket does not.",
    )


def test_the_check_after_a_prune_finds_what_was_shortened(
    dailies: Machine, store: MemoryStore
) -> None:
    oldest = dailies.catalogue()[0]
    store.damage(oldest.key, truncated)
    assert dailies.backups.prune(OWNER).problems == (
        f"{oldest.key}: its size is not what the catalogue says.",
    )


def test_the_check_after_a_prune_reads_the_newest(dailies: Machine, store: MemoryStore) -> None:
    newest = dailies.catalogue()[-1]
    store.damage(newest.key, corrupted)
    [problem] = dailies.backups.prune(OWNER).problems
    assert newest.key in problem


def test_the_check_after_a_prune_knows_another_content(
    dailies: Machine, store: MemoryStore
) -> None:
    """A sound backup, but not the one that was made."""
    newest = dailies.catalogue()[-1]
    put(dailies, replace(newest, sha256="0" * 64))
    [problem] = dailies.backups.prune(OWNER).problems
    assert problem == f"{newest.key}: its content is not what the catalogue says."


# Rebuilt from the bucket --------------------------------------------------------------------------


@pytest.fixture
def many(dailies: Machine, store: MemoryStore, clock: ManualClock) -> Machine:
    """One of every kind."""
    for kind in (
        BackupKind.BEFORE_IMPORT,
        BackupKind.BEFORE_MIGRATION,
        BackupKind.BEFORE_RESTORE,
        BackupKind.SET_ASIDE,
    ):
        # Two within a second have numbers.
        dailies.backups.make_before(kind)
        dailies.backups.make_before(kind)
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute("CREATE TABLE predictions (x)")
        body = connection.serialize("main")
    assert body is not None
    store.put("backups/2024-01-01T00-00-00Z-imported.db", body, PutMode.CREATE)
    store.put("backups/2024-01-01T00-00-00Z-imported-0123456789ab.db", body, PutMode.CREATE)
    dailies.replica.back_up("of-a-later-version")
    answer = dailies.backups.rebuild(OWNER)
    assert len(answer.added) == 3
    dailies.replica.sync_now()
    return dailies


def test_a_lost_catalogue_is_rebuilt_as_it_was(many: Machine) -> None:
    before = many.catalogue()
    assert {one.kind for one in before} == set(BackupKind)
    drop_catalogue(many)
    assert many.catalogue() == []
    answer = many.backups.rebuild(OWNER)
    assert many.catalogue() == before
    assert sorted(answer.added) == sorted(one.key for one in before)
    assert (answer.backups, answer.damaged, answer.unknown) == (len(before), (), ())


def test_the_objects_alone_are_enough(
    many: Machine, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    """In another bucket, at another time, without log, snapshots and catalogue."""
    clock.advance(days=100)
    elsewhere = MemoryStore(clock)
    for key in kept(store):
        elsewhere.put(key, store.objects[key].body, PutMode.CREATE)
    with machine(tmp_path / "other", elsewhere, clock) as other:
        other.backups.rebuild(OWNER)
        assert other.catalogue() == many.catalogue()


def test_a_second_rebuild_changes_nothing(many: Machine, store: MemoryStore) -> None:
    numbers = store.numbers()
    answer = many.backups.rebuild(OWNER)
    assert (answer.added, answer.removed, answer.changed) == ((), (), ())
    many.replica.sync_now()
    assert store.numbers() == numbers, "not even an entry of the log"


def test_a_rebuild_corrects_what_the_catalogue_has_wrong(many: Machine, store: MemoryStore) -> None:
    before = many.catalogue()
    wrong, gone, forgotten = before[2], before[3], before[5]
    put(many, replace(wrong, row_count=999, kept_by=KeptBy.PERSON, sequence=0))
    put(many, replace(forgotten, forgotten_at=NIGHT))
    del store.objects[gone.key]
    store.put("backups/notes.txt", b"mine", PutMode.CREATE)
    store.put("backups/2026-13-45T00-00-00Z-manual.db.zst", b"mine", PutMode.CREATE)
    answer = many.backups.rebuild(OWNER)
    assert (answer.changed, answer.removed) == ((wrong.key,), (gone.key,))
    assert answer.unknown == ("backups/2026-13-45T00-00-00Z-manual.db.zst", "backups/notes.txt")
    # That one is forgotten is no fact of the bucket, and stays.
    expected = {one.key: one for one in before if one.key != gone.key}
    expected[forgotten.key] = replace(forgotten, forgotten_at=NIGHT)
    assert {one.key: one for one in many.catalogue()} == expected


@pytest.mark.parametrize("harm", [truncated, corrupted, lambda body: b"", lambda body: b"x" * 99])
def test_a_damaged_backup_is_named_and_the_others_are_kept(
    many: Machine, store: MemoryStore, harm: Callable[[bytes], bytes]
) -> None:
    before = many.catalogue()
    damaged = next(one for one in before if one.kind is BackupKind.BEFORE_RESTORE)
    store.damage(damaged.key, harm)
    answer = many.backups.rebuild(OWNER)
    assert [damaged.key in problem for problem in answer.damaged] == [True]
    assert many.catalogue() == before, "nothing is known better"
    drop_catalogue(many)
    many.backups.rebuild(OWNER)
    assert many.catalogue() == [one for one in before if one != damaged]


def test_a_rebuild_while_another_machine_backs_up_loses_nothing(
    one: Machine, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    one.backups.make(OWNER)
    with machine(tmp_path / "other", store, clock) as other:
        original = store.before

        def meanwhile(verb: str, key: str) -> None:
            original(verb, key)
            if (verb, key) == ("get", kept(store)[0]) and len(kept(store)) == 1:
                other.backups.make(OWNER)
                other.replica.sync_now()
                one.replica.sync_now()

        store.before = meanwhile
        assert one.backups.rebuild(OWNER).removed == ()
        store.before = original
        assert len(one.catalogue()) == 2, "what came after the listing is not gone"
        for each in (one, other, one):
            each.replica.sync_now()
            each.backups.rebuild(OWNER)
        assert {backup.key for backup in one.catalogue()} == set(kept(store))
        assert len(kept(store)) == 2
        assert other.catalogue() == one.catalogue()


def test_ten_thousand_backups_are_listed_without_a_request(
    one: Machine, store: MemoryStore
) -> None:
    made = one.backups.make(OWNER)
    body = store.objects[made.key].body
    for number in range(2, 10_001):
        store.put(f"backups/2026-11-20T18-00-00Z-manual-{number}.db.zst", body, PutMode.CREATE)
    drop_catalogue(one)
    known = [replace(made, key=key) for key in kept(store) if not key.endswith("-9999.db.zst")]
    with one.replica.transaction() as transaction:
        write_backups(transaction, known)
    store.requests.clear()
    one.backups.keep_daily()
    assert store.requests == [], "not due"
    assert len(one.backups.listed(OWNER)) == 9_999
    assert store.requests == [], "the list is the catalogue's"


# By itself, once a day ----------------------------------------------------------------------------


def test_nothing_is_due_on_the_first_day(one: Machine, clock: ManualClock) -> None:
    assert not one.backups.is_due()
    clock.advance(hours=11)  # 00:00 Eastern
    assert one.backups.keep_daily() is None


def test_the_day_turns_when_the_games_are_over(one: Machine, clock: ManualClock) -> None:
    clock.now = datetime(2026, 11, 21, 10, 59, tzinfo=UTC)
    assert one.backups.keep_daily() is None
    clock.now = datetime(2026, 11, 21, 11, tzinfo=UTC)  # 06:00 Eastern
    made = one.backups.keep_daily()
    assert made is not None
    assert made.key == "backups/2026-11-21T11-00-00Z-daily.db.zst"
    assert one.backups.keep_daily() is None
    clock.advance(hours=23)
    assert one.backups.keep_daily() is None


def test_without_history_nothing_is_due(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with machine(tmp_path / "one", store, clock) as empty:
        clock.advance(days=3)
        assert empty.backups.keep_daily() is None
    assert kept(store) == []


def test_it_can_be_switched_off(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> None:
    with machine(tmp_path / "one", store, clock, daily=False) as quiet:
        quiet.write("g1")
        clock.advance(days=3)
        assert quiet.backups.keep_daily() is None
    assert kept(store) == []


def test_a_day_without_news_makes_no_backup(one: Machine, clock: ManualClock) -> None:
    clock.advance(days=1)
    assert one.backups.keep_daily() is not None
    one.replica.sync_now()
    for _ in range(3):
        clock.advance(days=1)
        assert one.backups.keep_daily() is None
    one.write("g2")
    assert one.backups.keep_daily() is not None


def test_a_backup_by_hand_counts_as_the_days(one: Machine, clock: ManualClock) -> None:
    clock.advance(days=1)
    one.backups.make(OWNER)
    one.write("g2")
    assert one.backups.keep_daily() is None


def test_six_weeks_keep_what_the_rules_say_and_cost_one_entry_a_day(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    every: list[Backup] = []
    for day in range(45):
        clock.advance(days=1)
        one.write(f"day-{day}")
        before = store.numbers()[-1]
        made = one.backups.keep_daily()
        assert made is not None
        every.append(made)
        one.replica.sync_now()
        assert store.numbers()[-1] == before + 1
        assert one.catalogue()[-1] == made
        assert [backup.key for backup in one.catalogue()] == kept(store)
    forgotten = [backup for backup in one.catalogue() if backup.is_forgotten]
    # What was forgotten today is deleted tomorrow.
    assert {backup.forgotten_at for backup in forgotten} == {clock.now}
    # Day by day the rules keep what they would keep of all there ever was.
    verdict = decide(every, Retention(), log_id=every[0].log_id, now=clock.now)
    assert [backup for backup in one.catalogue() if not backup.is_forgotten] == [
        kept.backup for kept in verdict.kept
    ]
    assert one.backups.rebuild(OWNER).changed == ()
    assert store.numbers() == list(range(1, store.numbers()[-1] + 1))
    assert one.log.conflicts().empty


def test_what_is_forgotten_today_is_deleted_by_itself_tomorrow(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    """A day in which a person can still change the rules, or download it."""
    with machine(tmp_path / "one", store, clock) as one:
        one.write("g1")
        made = one.backups.make(OWNER)
        clock.advance(days=1)
        one.write("g2")
        one.backups.forget(OWNER, [made.key])
        assert one.backups.keep_daily() is not None
        assert made.key in kept(store)
        clock.advance(days=1)
        one.write("g3")
        assert one.backups.keep_daily() is not None
        assert made.key not in kept(store)


def test_what_a_killed_process_left_without_a_row_is_found_by_the_next_round(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    left = one.replica.back_up("manual")
    gone = one.backups.make(OWNER)
    del store.objects[gone.key]
    one.write("g2")
    clock.advance(days=2)
    # What nobody forgot and is gone all the same is no small matter.
    with pytest.raises(
        BackupCheckFailed, match=f"{gone.key}: the catalogue has it, and the bucket"
    ):
        one.backups.keep_daily()
    made = kept(store)[-1]
    assert [backup.key for backup in one.catalogue()] == [left.key, made]


def test_a_refused_delete_is_told_until_it_passes_and_the_backups_are_made(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    original = store.before

    def refuse(verb: str, key: str) -> None:
        original(verb, key)
        if verb == "delete" and key.startswith("backups/"):
            raise denied(verb, key)

    with machine(tmp_path / "one", store, clock, keep=FEW) as small:

        def a_day() -> None:
            clock.advance(days=1)
            small.write(f"{clock.now}")
            small.backups.keep_daily()

        small.write("g1")
        for _ in range(3):
            a_day()
        store.before = refuse
        with pytest.raises(AccessDenied):
            a_day()
        for _ in range(2):
            with pytest.raises(AccessDenied):
                small.backups.keep_daily()
        with pytest.raises(AccessDenied):
            a_day()
        assert len(kept(store)) == 5
        store.before = original
        a_day()
        small.backups.keep_daily()
        assert len(kept(store)) == 3, "two days, and what was forgotten today"


def test_a_backup_that_vanishes_is_told(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with machine(tmp_path / "one", store, clock, keep=FEW) as one:
        for day in range(4):
            one.write(f"g{day}")
            clock.advance(days=1)
            one.backups.keep_daily()
        original = store.before
        newest = one.catalogue()[-1].key

        def somebody_deletes(verb: str, key: str) -> None:
            original(verb, key)
            if verb == "delete" and newest in store.objects:
                del store.objects[newest]

        store.before = somebody_deletes
        one.write("g9")
        clock.advance(days=1)
        with pytest.raises(BackupCheckFailed, match=newest):
            one.backups.keep_daily()


def test_two_machines_that_back_up_at_once_agree(
    one: Machine, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    with machine(tmp_path / "other", store, clock) as other:
        for day in range(12):
            clock.advance(days=1)
            one.write(f"day-{day}")
            other.replica.sync_now()
            assert one.backups.is_due()
            assert other.backups.is_due()
            for each in (one, other):
                each.backups.keep_daily()
            for each in (one, other, one):
                each.replica.sync_now()
            assert other.catalogue() == one.catalogue()
        assert {backup.key for backup in one.catalogue()} == set(kept(store))
        assert one.log.conflicts().empty


def test_another_machines_backup_of_the_day_is_enough(
    one: Machine, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    with machine(tmp_path / "other", store, clock) as other:
        clock.advance(days=1)
        assert one.backups.keep_daily() is not None
        one.replica.sync_now()
        assert other.backups.is_due(), "as far as it knows"
        assert other.backups.keep_daily() is None
    assert len(kept(store)) == 1


@pytest.mark.parametrize("days_off", [-3, 3])
def test_a_machine_whose_clock_is_days_off_goes_by_the_stores(
    store: MemoryStore, clock: ManualClock, tmp_path: Path, days_off: int
) -> None:
    local = ManualClock(clock.now + timedelta(days=days_off))
    # As a bucket tells it with each answer.
    store.clock_offset_seconds = -86_400.0 * days_off  # type: ignore[attr-defined]
    with machine(tmp_path / "one", store, local, keep=FEW) as one:
        for day in range(4):
            for time in range(3):
                one.write(f"{day}-{time}")
                made = one.backups.keep_daily()
                assert (made is not None) == (day > 0 and time == 0)
            for each in (clock, local):
                each.advance(days=1)
        assert [f"{backup.made_at:%d}" for backup in one.catalogue()] == ["21", "22", "23"]
        assert one.catalogue()[0].forgotten_at == clock.now - timedelta(days=1)


def test_a_daily_backup_without_the_store_is_tried_again(
    one: Machine, store: MemoryStore, clock: ManualClock
) -> None:
    clock.advance(days=1)
    store.fail("put", "backups/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        one.backups.keep_daily()
    assert one.backups.keep_daily() is not None


# As a file ----------------------------------------------------------------------------------------


def rows_of(path: Path) -> list[tuple[apsw.SQLiteValue, ...]]:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT game_id FROM games ORDER BY 1").fetchall()


def test_any_backup_is_downloaded_as_a_plain_file(one: Machine, tmp_path: Path) -> None:
    early = one.backups.make(OWNER)
    one.write("g2")
    late = one.backups.make_before(BackupKind.SET_ASIDE)
    one.backups.download(OWNER, early.key, tmp_path / "early.db")
    one.backups.download(OWNER, late.key, tmp_path / "late.db")
    assert (rows_of(tmp_path / "early.db"), rows_of(tmp_path / "late.db")) == (
        [("g1",)],
        [("g1",), ("g2",)],
    )


def test_an_imported_database_is_downloaded_byte_for_byte(many: Machine, tmp_path: Path) -> None:
    imported = next(one for one in many.catalogue() if one.kind is BackupKind.IMPORTED)
    many.backups.download(OWNER, imported.key, tmp_path / "copy.db")
    body = many.state.storage.store.get(imported.key).body
    assert (tmp_path / "copy.db").read_bytes() == body
    assert (imported.compression, imported.sequence, imported.row_count) == ("none", 0, 0)


@pytest.mark.parametrize("harm", [truncated, corrupted])
def test_a_tampered_backup_is_not_downloaded(
    one: Machine, store: MemoryStore, tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    made = one.backups.make(OWNER)
    store.damage(made.key, harm)
    with pytest.raises(SnapshotCorrupt):
        one.backups.download(OWNER, made.key, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_another_sound_content_under_its_name_is_not_downloaded(
    one: Machine, store: MemoryStore, tmp_path: Path
) -> None:
    early = one.backups.make(OWNER)
    one.write("g2")
    late = one.backups.make(OWNER)
    store.objects[late.key] = store.objects[early.key]
    with pytest.raises(SnapshotCorrupt):
        one.backups.download(OWNER, late.key, tmp_path / "copy.db")


def test_an_imported_database_that_was_changed_is_not_downloaded(
    many: Machine, store: MemoryStore, tmp_path: Path
) -> None:
    imported = next(one for one in many.catalogue() if one.kind is BackupKind.IMPORTED)
    store.damage(imported.key, lambda body: body + b"x")
    with pytest.raises(NotADatabase):
        many.backups.download(OWNER, imported.key, tmp_path / "copy.db")
    assert list(tmp_path.glob("copy*")) == []


def test_a_backup_that_is_gone_is_told(one: Machine, store: MemoryStore, tmp_path: Path) -> None:
    made = one.backups.make(OWNER)
    del store.objects[made.key]
    with pytest.raises(ObjectNotFound):
        one.backups.download(OWNER, made.key, tmp_path / "copy.db")
    with pytest.raises(UnknownBackup):
        one.backups.download(OWNER, "backups/none", tmp_path / "copy.db")


def test_a_backup_of_a_newer_version_is_told_and_kept(
    one: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = one.backups.make(OWNER)
    monkeypatch.setattr("jobs.backup_reading.MIGRATIONS", ())
    with pytest.raises(NewerSchema):
        one.backups.download(OWNER, made.key, tmp_path / "copy.db")
    answer = one.backups.rebuild(OWNER)
    assert len(answer.damaged) == 1
    assert one.catalogue() == [made]


def test_time_goes_by_the_stores_clock_in_the_key(one: Machine, clock: ManualClock) -> None:
    clock.advance(minutes=90)
    assert one.backups.make(OWNER).made_at == clock.now
    assert timedelta(0) <= clock.now - one.backups.make(OWNER).made_at < timedelta(seconds=1)
