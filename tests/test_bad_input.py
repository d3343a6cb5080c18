"""What can be wrong with settings, keys, stores, disks, clocks and files, met by the whole app.

Each gives a clear message with a remedy, and nothing is lost or overwritten.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.configuration import read_settings
from jobs.errors import ConfigurationError, NotReady
from jobs.saved import Level, SavedLine
from nba.errors import ReferenceNotWritten, UnknownSlate
from prediction_tracking import (
    MIGRATIONS,
    REPLICATED_TABLES,
    NotAnExistingDatabase,
    ResultsRejected,
)
from replica import (
    AccessDenied,
    BucketMissing,
    ClockSkewed,
    DiskFull,
    EntryRefused,
    InvalidCredentials,
    Migration,
    NewerSchema,
    NotASnapshot,
    Replica,
    ReplicaError,
    SnapshotCorrupt,
    State,
    WritesStopped,
    WrongRegion,
)
from replica.log import log_key
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options, S3Store
from tests.app_process import CHECKOUT, wait_for
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    count_rows,
    line_of,
    log_of,
    published,
    running,
    runs_of,
    settings_for,
    status_of,
    use_store,
)
from tests.servers import (
    SECRET_ACCESS_KEY,
    ErrorServer,
    Received,
    Reply,
    empty_listing,
    s3_error,
    s3_options,
    stored,
)
from tests.stores import ManualClock, corrupted, denied, truncated

TONIGHT = date(2026, 11, 20)
BUNDLED = date(2025, 1, 15)
EMPTY = date(2026, 11, 26)


class RuleServer(ErrorServer):
    """Answers each request by a rule."""

    def __init__(self, rule: Callable[[Received], Reply]) -> None:
        super().__init__(Reply(500))
        self._rule = rule

    def __enter__(self) -> RuleServer:
        super().__enter__()
        return self

    def _next(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
        return self._rule(request)

    def methods(self) -> set[str]:
        return {request.method for request in self.received}


@pytest.fixture
def quick_s3(no_ambient_aws: None, shared_service_descriptions: None) -> None:
    """boto3 without the machine's own configuration."""


def refused(code: str, status: int = 403, **details: Any) -> Callable[[Received], Reply]:
    return lambda _: s3_error(status, code, **details)


def bucket_at(url: str, **changes: Any) -> S3Options:
    return s3_options(url, "my-predictions", read_attempts=1, **changes)


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def require_problem(application: Application, *words: str) -> SavedLine:
    """The saved line, which tells the owner what to do and names these words."""
    line = line_of(application)
    assert line.level is Level.PROBLEM
    assert line.headline.startswith("Not saved")
    told = " ".join(line.remedies)
    for word in words:
        assert word in told
    assert SECRET_ACCESS_KEY not in line.headline
    return line


@contextmanager
def in_bucket(
    options: S3Options, tmp_path: Path, reference_path: Path, name: str = "state"
) -> Iterator[Application]:
    with running(settings_for(tmp_path / name, reference_path, options)) as application:
        yield application


def require_refused_at_start(
    application: Application, kind: type[ReplicaError], *words: str
) -> None:
    """Nothing of the history is there, nothing is written, and projections work."""
    assert isinstance(application.preparation.state_error, kind)
    require_problem(application, *words)
    assert application.predictions is None
    assert not application.settings.database_path.exists()
    assert application.projection(TONIGHT).games
    with pytest.raises(NotReady):
        application.back_up(OWNER)


# Settings -----------------------------------------------------------------------------------------


def test_no_secrets(reference_path: Path, tmp_path: Path) -> None:
    environment = {
        "NBA_DAILY_STATE_DIR": str(tmp_path / "state"),
        "NBA_DAILY_STORE_DIR": str(tmp_path / "store"),
        "NBA_DAILY_SOURCES": "none",
        "NBA_DAILY_BACKUPS": "none",
    }
    settings_for(tmp_path / "state", reference_path)
    settings = replace(read_settings({}, environment, []), timer_minutes=0)
    with running(settings) as application:
        published(application)
        line = line_of(application)
    assert line.level is Level.WARNING
    assert line.headline == "Saved to a folder on this machine as #2"
    assert "will be lost with this machine" in line.remedies[0]
    assert "S3_SETUP_GUIDE.md" in line.remedies[0]


def test_half_the_secrets(
    reference_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    environment = {
        "NBA_DAILY_STATE_DIR": str(tmp_path / "state"),
        "NBA_DAILY_STORE_DIR": str(tmp_path / "store"),
        "NBA_DAILY_SOURCES": "none",
    }
    settings_for(tmp_path / "state", reference_path)
    secrets = {"aws": {"access_key_id": "AKIAABCDEFGHIJKLMNOP", "bucket_name": "b"}}
    settings = replace(read_settings(secrets, environment, []), timer_minutes=0)
    with running(settings) as application:
        require_problem(application, "Missing: region, secret_access_key", "S3_SETUP_GUIDE.md")
        assert isinstance(application.preparation.state_error, ConfigurationError)
        assert application.projection(TONIGHT).games
        application.tick()
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "data").exists()
    assert not settings.database_path.exists()


# The store refuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "named"),
    [("InvalidAccessKeyId", "access_key_id"), ("SignatureDoesNotMatch", "secret_access_key")],
)
def test_wrong_key(
    code: str, named: str, reference_path: Path, tmp_path: Path, quick_s3: None
) -> None:
    with (
        RuleServer(refused(code)) as server,
        in_bucket(bucket_at(server.url), tmp_path, reference_path) as application,
    ):
        require_refused_at_start(application, InvalidCredentials, named)
        application.tick()
        assert server.methods() == {"GET"}


def test_wrong_key_with_a_history_on_disk(
    reference_path: Path, tmp_path: Path, quick_s3: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(AFTERNOON)
    with monkeypatch.context() as patched:
        use_store(patched, SwitchedStore(clock))
        settings = settings_for(tmp_path / "state", reference_path, s3_options(None, "b"))
        with running(settings, clock) as application:
            published(application)
    with RuleServer(refused("InvalidAccessKeyId")) as server:
        with in_bucket(bucket_at(server.url), tmp_path, reference_path) as application:
            require_problem(application, "access_key_id")
            assert status_of(application).state is State.STOPPED
            assert len(runs_of(application)) == 1
            with pytest.raises(WritesStopped):
                application.revise(OWNER, TONIGHT)
            assert len(runs_of(application)) == 1
        assert server.methods() == {"GET"}


@pytest.mark.parametrize(
    "answer",
    [
        s3_error(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-central-1"}),
        s3_error(400, "AuthorizationHeaderMalformed", details={"Region": "eu-central-1"}),
    ],
    ids=["redirect", "malformed"],
)
def test_wrong_region(answer: Reply, reference_path: Path, tmp_path: Path, quick_s3: None) -> None:
    with (
        RuleServer(lambda _: answer) as server,
        in_bucket(bucket_at(server.url), tmp_path, reference_path) as application,
    ):
        require_refused_at_start(application, WrongRegion, "region", "eu-central-1")
        assert server.methods() == {"GET"}


def test_missing_bucket(
    reference_path: Path, tmp_path: Path, moto_endpoint: str, quick_s3: None
) -> None:
    options = s3_options(moto_endpoint, "no-such-bucket-anywhere")
    with in_bucket(options, tmp_path, reference_path) as application:
        require_refused_at_start(application, BucketMissing, "bucket")


def test_read_only_key(reference_path: Path, tmp_path: Path, quick_s3: None) -> None:
    def rule(request: Received) -> Reply:
        if request.method == "PUT":
            return s3_error(403, "AccessDenied")
        if "list-type=2" in request.path:
            return empty_listing("my-predictions")
        return s3_error(404, "NoSuchKey")

    with (
        RuleServer(rule) as server,
        in_bucket(bucket_at(server.url), tmp_path, reference_path) as application,
    ):
        require_refused_at_start(application, AccessDenied, "s3:PutObject")
        advice = line_of(application).advice
        assert advice[0] == "The store refused access: the key in use needs s3:PutObject."


def test_read_only_key_in_a_bucket_with_a_history(
    reference_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(AFTERNOON)
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    with running(settings_for(tmp_path / "first", reference_path), clock) as application:
        published(application)

    def read_only(verb: str, key: str) -> None:
        if verb not in ("get", "list"):
            raise denied(verb, key)

    store.before = read_only
    before = dict(store.objects)
    with running(settings_for(tmp_path / "second", reference_path), clock) as application:
        run = application.revise(OWNER, TONIGHT)
        wait_for(lambda: status_of(application).last_error, what="the refusal", timeout_seconds=20)
        line = line_of(application)
        assert (line.level, line.headline) == (
            Level.PROBLEM,
            "Not saved yet: 1 write waiting, a folder on this machine refuses now",
        )
        assert "s3:PutObject" in line.advice[0]
        # What was logged is kept and waits.
        assert [found.pending for found in runs_of(application)] == [True, False]
    assert store.objects == before
    store.before = lambda verb, key: None
    with running(settings_for(tmp_path / "second", reference_path), clock) as application:
        published(application)
        assert not log_of(application).run(run.run_id).pending


def test_key_without_list_bucket(reference_path: Path, tmp_path: Path, quick_s3: None) -> None:
    def rule(request: Received) -> Reply:
        return stored() if request.method == "PUT" else s3_error(403, "AccessDenied")

    with (
        RuleServer(rule) as server,
        in_bucket(bucket_at(server.url), tmp_path, reference_path) as application,
    ):
        require_refused_at_start(application, AccessDenied, "s3:ListBucket")
        application.tick()
        assert server.methods() == {"GET"}, "403 is never taken for an empty bucket"


# The store holds something else -------------------------------------------------------------------


def test_object_that_is_not_a_database(reference_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "nba_stats.db").write_bytes(b"These are my notes, not a database.")
    before = files_in(folder)
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        assert isinstance(application.preparation.state_error, NotAnExistingDatabase)
        require_problem(application, "nba_stats.db", "Move the object to another key")
        application.tick()
        assert files_in(folder) == before
        # The owner does as told, and the app goes on by itself.
        (folder / "nba_stats.db").rename(folder / "notes.txt")
        published(application)
        assert len(runs_of(application)) == 1
    assert (folder / "notes.txt").read_bytes() == before["nba_stats.db"]


def test_snapshot_that_is_not_one(reference_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    key = "snapshots/00000000000000000001.db.zst"
    (folder / "snapshots").mkdir(parents=True)
    (folder / key).write_bytes(b"These are my notes, not a snapshot.")
    before = files_in(folder)
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        assert isinstance(application.preparation.state_error, NotASnapshot)
        require_problem(application, key, "Check the prefix")
        assert application.predictions is None
    after = files_in(folder)
    assert {name: after.get(name) for name in before} == before
    assert not list(folder.rglob("log/*"))
    assert not list((tmp_path / "state").rglob("nba_stats.db"))


def test_log_entry_that_is_not_one(reference_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    (folder / "log").mkdir(parents=True)
    (folder / log_key(1)).write_bytes(b"These are my notes, not a log.")
    before = files_in(folder)
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        assert isinstance(application.preparation.state_error, EntryRefused)
        require_problem(application, log_key(1), "doctor --repair")
        assert application.predictions is None
    assert files_in(folder) == before
    assert not list((tmp_path / "state").rglob("nba_stats.db"))


@pytest.fixture
def saved_evening(reference_path: Path, tmp_path: Path) -> Path:
    """A store with one saved evening, and the machine it came from in `first`."""
    folder = tmp_path / "store"
    with running(settings_for(tmp_path / "first", reference_path, folder)) as application:
        published(application)
    return folder


def spoil(folder: Path, pattern: str, damage: Callable[[bytes], bytes]) -> None:
    """Damage the files of a store that have such names; there must be one."""
    found = list(folder.glob(pattern))
    assert found
    for path in found:
        path.write_bytes(damage(path.read_bytes()))


@pytest.mark.parametrize("damage", [truncated, corrupted])
def test_damaged_download(
    damage: Callable[[bytes], bytes],
    reference_path: Path,
    tmp_path: Path,
    saved_evening: Path,
) -> None:
    spoil(saved_evening, "snapshots/*", damage)
    # A snapshot is only a shortcut: the log has everything.
    longer = settings_for(tmp_path / "longer", reference_path, saved_evening)
    with running(longer, ticks=False) as application:
        [run] = runs_of(application)
        assert count_rows(application, "predictions") == run.predictions
    spoil(saved_evening, "bases/*", damage)
    before = files_in(saved_evening)
    fresh = settings_for(tmp_path / "fresh", reference_path, saved_evening)
    with running(fresh) as application:
        assert isinstance(application.preparation.state_error, SnapshotCorrupt)
        require_problem(application, "bases/", "older version of it, or use a backup")
        assert not application.settings.database_path.exists()
    # The machine that has a good copy keeps it.
    good = settings_for(tmp_path / "first", reference_path, saved_evening)
    with running(good, ticks=False) as application:
        [run] = runs_of(application)
        assert count_rows(application, "predictions") == run.predictions
    assert files_in(saved_evening) == before


@pytest.mark.parametrize("damage", [truncated, corrupted])
def test_damaged_entry(
    damage: Callable[[bytes], bytes],
    reference_path: Path,
    tmp_path: Path,
    saved_evening: Path,
) -> None:
    with running(settings_for(tmp_path / "second", reference_path, saved_evening)) as application:
        application.revise(OWNER, TONIGHT)
        application.tick()
        published(application)
    spoil(saved_evening, log_key(3), damage)
    before = files_in(saved_evening)
    behind = settings_for(tmp_path / "first", reference_path, saved_evening)
    with running(behind) as application:
        line = require_problem(application, log_key(3), "python cli.py doctor --repair")
        assert line.headline == "Not saved any more: the saved log is damaged"
        assert status_of(application).state is State.HALTED
        application.revise(OWNER, TONIGHT)
        assert [run.pending for run in runs_of(application)] == [True, False]
    assert files_in(saved_evening) == before, "nothing is published after a damaged entry"


@pytest.mark.parametrize("damages", [(truncated, truncated), (corrupted, truncated)])
@pytest.mark.parametrize("prefix", ["bases/", "log/00000000000000000002"])
def test_download_damaged_on_its_way(
    prefix: str,
    damages: tuple[Callable[[bytes], bytes], ...],
    reference_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = ManualClock(AFTERNOON)
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    with running(settings_for(tmp_path / "first", reference_path), clock) as application:
        published(application)
        before = runs_of(application)
    for key in store.keys("snapshots/"):
        store.delete(key)
    for damage in damages:
        store.fail("get", prefix, change=damage)
    with running(settings_for(tmp_path / "second", reference_path), clock) as application:
        require_problem(application, prefix)
        # It is tried again by itself.
        published(application)
        assert runs_of(application) == before
    assert store.faults == []
    assert store.numbers() == [1, 2]


def test_newer_schema(reference_path: Path, tmp_path: Path, saved_evening: Path) -> None:
    addition = Migration(len(MIGRATIONS) + 1, "a", "ALTER TABLE runs ADD COLUMN mood TEXT")
    newer = Replica(
        tmp_path / "newer.db",
        FolderStore(saved_evening),
        [*MIGRATIONS, addition],
        tables=REPLICATED_TABLES,
        clock=lambda: AFTERNOON,
        random=Random(3),
    )
    newer.restore()
    with newer.transaction() as transaction:
        transaction.execute("UPDATE runs SET mood = 'good'")
    newer.sync_now()
    before = files_in(saved_evening)

    def require_behind(name: str) -> None:
        settings = settings_for(tmp_path / name, reference_path, saved_evening)
        with running(settings) as application:
            line = require_problem(application, "Update the application")
            assert "a newer version of the app" in line.headline
            assert status_of(application).state is State.BEHIND_SCHEMA
            assert len(runs_of(application)) == 1, "what came before can still be read"
            with pytest.raises(WritesStopped):
                application.revise(OWNER, TONIGHT)

    require_behind("first")
    require_behind("second")
    assert files_in(saved_evening) == before

    newer.snapshot()
    newer.close(0)
    before = files_in(saved_evening)
    fresh = settings_for(tmp_path / "fresh", reference_path, saved_evening)
    with running(fresh) as application:
        require_refused_at_start(application, NewerSchema, "Update the application")
    require_behind("first")
    assert files_in(saved_evening) == before


# The disk -----------------------------------------------------------------------------------------


def require_unwritable(application: Application) -> None:
    assert isinstance(application.preparation.reference_error, ReferenceNotWritten)
    line = line_of(application)
    assert (line.level, line.headline) == (Level.PROBLEM, "Past seasons cannot be read")
    assert "another folder that this user may write to" in line.advice[0]
    assert str(application.settings.state_folder) not in line.advice[0]
    application.tick()


def test_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with running(settings_for(tmp_path / "file" / "state", None, tmp_path / "s")) as application:
        require_unwritable(application)
    assert files_in(tmp_path) == {"file": b"mine"}


START = """
import json, os, resource, sys
from pathlib import Path
from jobs.saved import describe
from tests.applications import running, settings_for
what, state, store = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
if what == "unwritable" and os.geteuid() == 0:
    # Permissions do not hold the superuser back.
    os.setuid(65534)
if what == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, resource.RLIM_INFINITY))
with running(settings_for(state, None, store)) as application:
    line = describe(application.saved_state())
    application.tick()
    if what == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    print(json.dumps([line.level.value, line.headline, *line.advice]), flush=True)
# A tool that writes its report at exit may not do so as this user.
os._exit(0)
"""


def start_on(what: str, state: Path, store: Path) -> list[str]:
    """What a process says whose disk is so."""
    answer = subprocess.run(
        [sys.executable, "-c", START, what, str(state), str(store)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.stderr == ""
    return list(json.loads(answer.stdout))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach; pytest's own are for one user only."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        yield Path(folder)
        Path(folder).chmod(0o755)


def test_read_only_disk(open_folder: Path) -> None:
    level, headline, advice = start_on("unwritable", open_folder / "state", open_folder / "store")
    assert (level, headline) == ("problem", "Past seasons cannot be read")
    assert "another folder that this user may write to" in advice
    assert list(open_folder.iterdir()) == []


def test_disk_too_full_for_past_seasons(tmp_path: Path) -> None:
    level, headline, advice = start_on("full", tmp_path / "state", tmp_path / "store")
    assert (level, headline) == ("problem", "Past seasons cannot be read")
    assert "Free about 100 MB" in advice
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["reference.db.lock"]
    assert not (tmp_path / "store").exists()


def test_full_disk(reference_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(AFTERNOON)
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    with running(settings_for(tmp_path / "state", reference_path), clock) as application:
        published(application)
        before = runs_of(application)
        assert application._state is not None
        live = application._state.replica._live
        assert live is not None
        # Without free pages in the file, each write needs more of the disk.
        live._writer.execute("VACUUM")
        live._writer.execute("PRAGMA max_page_count = 1")
        with pytest.raises(DiskFull, match="Free some space; nothing was changed"):
            application.revise(OWNER, TONIGHT)
        clock.advance(days=1)
        application.tick()
        line = line_of(application)
        assert line.level is Level.WARNING
        assert "The disk is full. Free some space" in line.advice[0]
        assert runs_of(application) == before
        assert store.numbers() == [1, 2]

        live._writer.execute("PRAGMA max_page_count = 1000000")
        application.tick()
        published(application)
        assert line_of(application).level is Level.SAVED
        assert len(runs_of(application)) == 2


# The clock ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong_by", "words"),
    [
        (timedelta(hours=-1), "60 minutes behind"),
        (timedelta(hours=1), "60 minutes ahead of"),
        (timedelta(days=-1), "24 hours behind"),
        (timedelta(days=1), "24 hours ahead of"),
    ],
)
def test_clock_wrong_by_an_hour_or_a_day(
    wrong_by: timedelta,
    words: str,
    reference_path: Path,
    tmp_path: Path,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    quick_s3: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The store's own time decides what counts; the wrong clock is told with its direction."""
    options = s3_options(moto_endpoint, new_bucket(moto_endpoint))
    use_store(monkeypatch, S3Store(options, clock=lambda: datetime.now(UTC) + wrong_by))
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        published(application)
        line = line_of(application)
        assert line.level is Level.WARNING
        assert f"clock is {words} the store's" in line.advice[0]
        assert "Set the clock" in line.remedies[0]
        [run] = runs_of(application)
        assert run.logged_at == AFTERNOON
        assert run.stored_at is not None
        assert abs(run.stored_at - datetime.now(UTC)) < timedelta(minutes=5)


def test_clock_so_wrong_that_the_store_refuses(
    reference_path: Path, tmp_path: Path, quick_s3: None
) -> None:
    with (
        RuleServer(refused("RequestTimeTooSkewed")) as server,
        in_bucket(bucket_at(server.url), tmp_path, reference_path) as application,
    ):
        require_refused_at_start(application, ClockSkewed, "clock")
        assert server.methods() == {"GET"}


# What is asked for --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def usual(reference_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """An application on its usual evening, with the results of an earlier one to come."""
    folder = tmp_path_factory.mktemp("usual")
    with running(settings_for(folder / "state", reference_path)) as application:
        published(application)
        yield application


def test_empty_slate(usual: Application) -> None:
    before = runs_of(usual)
    assert usual.projection(EMPTY).games == ()
    with pytest.raises(NotReady, match=r"no game to project on this date\. Choose another date"):
        usual.log_replay(OWNER, date(2024, 11, 28))
    with pytest.raises(NotReady, match="Only tonight's slate"):
        usual.revise(OWNER, EMPTY)
    with pytest.raises(UnknownSlate) as caught:
        usual.projection(date(2031, 1, 1))
    assert caught.value.remedy
    assert runs_of(usual) == before


def test_evening_without_games(reference_path: Path, tmp_path: Path) -> None:
    thanksgiving = datetime(2026, 11, 26, 20, tzinfo=UTC)
    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings, lambda: thanksgiving) as application:
        application.tick()
        assert application.tonights_date() == date(2026, 11, 27)
        assert runs_of(application) == []
        assert line_of(application).headline == "Saved to a folder on this machine as #1"


def results(*rows: str, columns: str = "") -> pd.DataFrame:
    header = (columns or "game_date,player_name,points,rebounds,assists,threes").split(",")
    return pd.DataFrame([row.split(",") for row in rows], columns=header)


GOOD_ROW = "2025-01-15,Jayson Tatum,99,8,5,3"


def test_unknown_player(usual: Application) -> None:
    before = count_rows(usual, "player_games")
    frame = results(GOOD_ROW, "2025-01-15,Nobody Atall,10,2,3,1")
    with pytest.raises(ResultsRejected) as caught:
        usual.import_results(OWNER, frame, "results.csv")
    assert "row 3" in str(caught.value)
    assert "Nobody Atall" in str(caught.value)
    assert "Nothing was recorded" in caught.value.remedy
    assert count_rows(usual, "player_games") == before
    assert status_of(usual).pending_transactions == 0


def test_results_with_other_columns(usual: Application) -> None:
    before = count_rows(usual, "player_games")
    frame = results("Tatum,30", columns="who,how many")
    with pytest.raises(ResultsRejected) as caught:
        usual.import_results(OWNER, frame, "results.csv")
    assert "columns found: who, how many" in str(caught.value)
    assert "game_date" in caught.value.remedy
    assert count_rows(usual, "player_games") == before


def test_results_with_contradicting_rows(usual: Application) -> None:
    before = count_rows(usual, "player_games")
    frame = results(GOOD_ROW, GOOD_ROW.replace(",99,", ",98,"))
    with pytest.raises(ResultsRejected) as caught:
        usual.import_results(OWNER, frame, "results.csv")
    assert "row 3" in str(caught.value)
    assert count_rows(usual, "player_games") == before


def test_results_with_repeated_rows(usual: Application) -> None:
    report = usual.import_results(OWNER, results(GOOD_ROW, GOOD_ROW, GOOD_ROW), "results.csv")
    assert (report.rows, report.duplicates) == (3, 2)
    assert report.recorded + report.corrected + report.unchanged == 1
    assert count_rows(usual, "player_games") == 1
    again = usual.import_results(OWNER, results(GOOD_ROW), "results.csv")
    assert (again.recorded, again.corrected, again.unchanged) == (0, 0, 1)
    assert count_rows(usual, "player_games") == 1
