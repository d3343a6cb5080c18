"""All that is saved is read and checked, and nothing of it is changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

import cli
from jobs.authority import OWNER
from jobs.state import LATEST_KEY, open_storage
from jobs.store_view import StoreView, entry_number, snapshot_number
from jobs.verification import Verification, verify_saved
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import (
    AccessDenied,
    ObjectInfo,
    ObjectNotFound,
    PutMode,
    StoredObject,
    StoreUnreachable,
)
from replica.log import log_key
from replica.snapshot import pack, unpack
from replica.stores.folder import FolderStore
from s3_storage import S3PredictionStorage
from tests.applications import AFTERNOON, published, running, settings_for
from tests.stores import ManualClock, MemoryStore, corrupted, unreachable


@pytest.fixture(scope="module")
def saved_once(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> dict[str, bytes]:
    """The objects of a store with four log entries and snapshots of several ages."""
    folder = tmp_path_factory.mktemp("saved")
    settings = settings_for(folder / "state", reference_path)
    with running(settings) as application:
        published(application)
        # The replica's own: the catalogue would add an entry.
        assert application._state is not None
        application._state.replica.back_up("manual")
        for _ in range(2):
            application.revise(OWNER, AFTERNOON.date())
            application.tick()
            application.sync_now(OWNER)
    store = open_storage(settings).store
    return {info.key: store.get(info.key).body for info in store.list("")}


@pytest.fixture
def store(saved_once: dict[str, bytes]) -> MemoryStore:
    store = MemoryStore(ManualClock(AFTERNOON))
    for key, body in saved_once.items():
        store.put(key, body, PutMode.CREATE)
    assert store.numbers() == [1, 2, 3, 4]
    return store


@pytest.fixture
def snapshots(store: MemoryStore) -> list[str]:
    found = store.keys("snapshots/")
    assert len(found) > 1
    return found


def verified(store: MemoryStore) -> Verification:
    storage = S3PredictionStorage(store, migrations=MIGRATIONS, tables=REPLICATED_TABLES)
    return verify_saved(storage, lambda share, words: None)


def test_a_sound_store_is_read_as_a_whole_and_left_as_it_is(
    store: MemoryStore, snapshots: list[str]
) -> None:
    before = dict(store.objects)
    store.requests.clear()
    assert verified(store) == Verification(4, 4, len(snapshots), (), ())
    assert store.objects == before
    assert {verb for verb, _ in store.requests} == {"get", "list"}
    read = {key for verb, key in store.requests if verb == "get"}
    assert {*store.keys("log/"), *snapshots, *store.keys("bases/"), LATEST_KEY} <= read


def test_an_empty_store_is_sound() -> None:
    assert verified(MemoryStore(ManualClock(AFTERNOON))) == Verification(0, 0, 0, (), ())


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_damaged_entry_ends_what_is_well(store: MemoryStore, number: int) -> None:
    store.damage(log_key(number), corrupted)
    found = verified(store)
    assert (found.is_sound, found.entries, found.sound_until) == (False, 4, number - 1)
    [problem] = found.problems
    assert log_key(number) in problem
    assert "doctor --repair" in problem


def test_an_entry_that_is_missing_in_the_middle(store: MemoryStore) -> None:
    del store.objects[log_key(2)]
    found = verified(store)
    assert found.sound_until == 1
    assert "missing" in found.problems[0]


def test_a_log_that_lost_its_end_is_behind_its_snapshots(
    store: MemoryStore, snapshots: list[str]
) -> None:
    assert snapshot_number(snapshots[-1]) == 4
    del store.objects[log_key(4)]
    found = verified(store)
    assert (found.entries, found.sound_until) == (3, 3)
    [problem] = [one for one in found.problems if "the log ends at" in one]
    assert snapshots[-1] in problem
    assert "#4" in problem
    assert "#3" in problem


def test_a_snapshot_with_a_flipped_bit(store: MemoryStore, snapshots: list[str]) -> None:
    store.damage(snapshots[0], corrupted)
    found = verified(store)
    assert (found.is_sound, found.sound_until) == (False, 4)
    [problem] = found.problems
    assert problem.startswith(f"{snapshots[0]}: its content is not what its name says")


def replaced(store: MemoryStore, key: str, body: bytes) -> str:
    """Store other content in place of a snapshot, under a name that fits it; its key."""
    del store.objects[key]
    digest = hashlib.sha256(body).hexdigest()
    other = f"{key.split('-')[0]}-{digest}.db.zst"
    store.put(other, body, PutMode.CREATE)
    return other


def test_a_snapshot_of_another_history(
    store: MemoryStore, snapshots: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "content.db"
    told = unpack(store.objects[snapshots[0]].body, snapshots[0], path)
    body = pack(
        path,
        log_id=told.log_id,
        sequence=told.sequence,
        entry_sha256="0" * 64,
        schema_version=told.schema_version,
    )
    other = replaced(store, snapshots[0], body)
    [problem] = verified(store).problems
    assert problem.startswith(f"{other}: it is damaged, or does not fit the log entry")


def test_a_snapshot_that_says_other_rows_than_the_log(
    store: MemoryStore, snapshots: list[str], tmp_path: Path
) -> None:
    """Every hash fits, and yet a value is another: only the rows themselves tell."""
    path = tmp_path / "content.db"
    told = unpack(store.objects[snapshots[-1]].body, snapshots[-1], path)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE predictions SET mean = mean + 1 WHERE stat = 'points'")
    connection.close()
    body = pack(
        path,
        log_id=told.log_id,
        sequence=told.sequence,
        entry_sha256=told.entry_sha256,
        schema_version=told.schema_version,
    )
    other = replaced(store, snapshots[-1], body)
    found = verified(store)
    assert found.sound_until == 4
    [problem] = [one for one in found.problems if one.startswith(other)]
    assert "other rows in predictions" in problem


def test_the_copy_for_people_is_looked_at_too(store: MemoryStore) -> None:
    store.damage(LATEST_KEY, corrupted)
    assert verified(store).problems[0].startswith(f"{LATEST_KEY}: it is none of the snapshots")
    del store.objects[LATEST_KEY]
    assert verified(store).problems[0].startswith(f"{LATEST_KEY}: it is missing")


def test_damage_on_the_way_is_no_damage(store: MemoryStore) -> None:
    store.fail("get", log_key(3), change=corrupted)
    assert verified(store).is_sound


def test_a_store_that_does_not_answer_is_no_damage_either(store: MemoryStore) -> None:
    store.fail("get", log_key(3), error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        verified(store)


def test_another_writer_meanwhile_is_no_damage(store: MemoryStore, snapshots: list[str]) -> None:
    """What comes after the listing is left for the next time; what is pruned is gone."""
    last = store.objects.pop(log_key(4))
    latest = store.objects.pop(snapshots[-1])
    store.objects[LATEST_KEY] = store.objects[snapshots[-2]]

    def writes(verb: str, key: str) -> None:
        if (verb, key) == ("get", log_key(2)):
            store.objects[log_key(4)] = last
            store.objects[snapshots[-1]] = latest
            store.objects.pop(snapshots[0], None)

    store.before = writes
    found = verified(store)
    assert (found.problems, found.entries, found.sound_until) == ((), 3, 3)
    assert found.snapshots == len(snapshots) - 2


# The view ---------------------------------------------------------------------------------------


def test_a_view_leaves_out_what_it_should(store: MemoryStore, snapshots: list[str]) -> None:
    view = StoreView(store, until=2, snapshots={snapshots[0]}, with_bases=False)
    assert [entry_number(info.key) for info in view.list("log/")] == [1, 2]
    assert [info.key for info in view.list("snapshots/")] == [snapshots[0]]
    assert view.get(snapshots[0]) == store.get(snapshots[0])
    for key in (log_key(3), snapshots[1], store.keys("bases/")[0], "head.json"):
        assert key in store.objects
        with pytest.raises(ObjectNotFound):
            view.get(key)
    assert view.location == store.location


def test_a_view_never_writes(store: MemoryStore) -> None:
    view = StoreView(store, until=4)
    before = dict(store.objects)
    with pytest.raises(AccessDenied):
        view.put("log/x", b"", PutMode.OVERWRITE)
    with pytest.raises(AccessDenied):
        view.delete(log_key(1))
    assert store.objects == before


def test_a_view_shows_what_it_holds_as_if_it_were_there(store: MemoryStore) -> None:
    made_up = f"snapshots/{2:020d}-{'a' * 64}.db.zst"
    held = {
        key: StoredObject(ObjectInfo(key, 4, AFTERNOON), b"held") for key in (made_up, log_key(1))
    }
    view = StoreView(store, until=4, held=held)
    store.requests.clear()
    assert view.get(made_up).body == view.get(log_key(1)).body == b"held"
    assert [info.key for info in view.list("snapshots/")] == [made_up]
    assert view.list("snapshots/", start_after=made_up) == []
    assert store.requests == [], "what would not be shown is not asked for"
    assert [info.key for info in view.list("log/")] == [log_key(number) for number in range(1, 5)]


@pytest.mark.parametrize(
    ("key", "entry", "snapshot"),
    [
        (log_key(7), 7, None),
        (log_key(7, "0123456789abcdef"), 7, None),
        ("snapshots/00000000000000000012-ab.db.zst", None, 12),
        ("log/readme", None, None),
        ("nba_stats.db.zst", None, None),
    ],
)
def test_keys_tell_their_number(key: str, entry: int | None, snapshot: int | None) -> None:
    assert (entry_number(key), snapshot_number(key)) == (entry, snapshot)


# The command ------------------------------------------------------------------------------------


@pytest.fixture
def saved_here(here: Path, saved_once: dict[str, bytes]) -> Iterator[FolderStore]:
    store = FolderStore(here / "store")
    for key, body in saved_once.items():
        store.put(key, body, PutMode.CREATE)
    yield store
    assert not list((here / "state").rglob("nba_stats.db")), "only the store was read"


def test_the_command_says_how_far_all_is_well(
    saved_here: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(saved_here.list("snapshots/"))
    assert cli.main(["verify", "--quiet"]) == 0
    answer = capsys.readouterr()
    assert answer.out == (
        f"All is well up to #4, of 4 log entries and {count} snapshots.\nNothing is wrong.\n"
    )
    assert answer.err == ""


def test_the_command_shows_its_progress(
    saved_here: FolderStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", "--json"]) == 0
    answer = capsys.readouterr()
    assert "Reading log entry" in answer.err
    assert "Checking snapshot" in answer.err
    told = json.loads(answer.out)
    assert (told["is_sound"], told["entries"], told["sound_until"]) == (True, 4, 4)


def test_the_command_fails_where_something_is_wrong(
    saved_here: FolderStore, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = here / "store" / log_key(3)
    entry.write_bytes(entry.read_bytes()[:-1])
    assert cli.main(["verify", "--quiet"]) == 1
    text = capsys.readouterr().out
    assert text.startswith("All is well up to #2, of 4 log entries")
    assert log_key(3) in text
    assert "checked by their hashes only" in text
    entry = here / "store" / log_key(1)
    entry.write_bytes(b"")
    assert cli.main(["verify", "--quiet"]) == 1
    assert capsys.readouterr().out.startswith("Not even the first entry is sound")


def test_the_command_before_anything_was_saved(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["verify", "--quiet"]) == 0
    assert capsys.readouterr().out == "Nothing has been saved yet\n"
    assert FolderStore(here / "store").list("") == []
