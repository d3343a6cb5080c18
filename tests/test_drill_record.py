"""What restore drills found is remembered, they are run in time, and a command runs one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import cli
from jobs.authority import OWNER
from jobs.drill import Drills, DrillStopped, drill_folder
from jobs.drill_record import DrillOutcome, DrillRecord, DrillResult, next_drill_at
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import Replica
from replica.log import log_key
from replica.stores.s3 import S3Options, S3Store
from tests.applications import AFTERNOON, published, running, settings_for
from tests.drill_fixtures import drills_on, know
from tests.stores import ManualClock, MemoryStore, corrupted, open_replica

DAY = timedelta(days=1)


# What is remembered -------------------------------------------------------------------------------


def test_the_record_survives_the_process(
    writer: Replica, store: MemoryStore, drills: Drills, tmp_path: Path, clock: ManualClock
) -> None:
    began = clock()
    assert drills.record == DrillRecord(since=began)
    clock.advance(hours=1)
    drills.run(OWNER)
    writer.back_up("manual")
    good = drills.run(OWNER)
    store.damage(good.backup_key, corrupted)
    damaged = drills.run(OWNER)
    clock.advance(days=3)
    assert drills_on(store, tmp_path, clock).record == DrillRecord(
        since=began,
        last=damaged,
        last_good=good,
        last_whole_at=good.finished_at,
        last_damaged=damaged,
    )


def test_a_record_of_an_earlier_version_is_read(
    writer: Replica, store: MemoryStore, drills: Drills, tmp_path: Path, clock: ManualClock
) -> None:
    writer.back_up("manual")
    good = drills.run(OWNER)
    path = tmp_path / "drill" / "drill.json"
    document = json.loads(path.read_text())
    del document["last_damaged"]
    path.write_text(json.dumps(document))
    record = drills_on(store, tmp_path, clock).record
    assert (record.last, record.last_damaged, record.note) == (good, None, "")


def test_drills_of_another_process_count(
    writer: Replica, store: MemoryStore, drills: Drills, tmp_path: Path, clock: ManualClock
) -> None:
    writer.back_up("manual")
    clock.advance(minutes=10)
    assert drills.is_due()
    outcome = drills_on(store, tmp_path, clock).run(OWNER)
    assert not drills.is_due()
    assert drills.record.last == outcome


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', "\xff\xfe"])
def test_a_record_that_cannot_be_read_is_put_aside(
    writer: Replica,
    drills: Drills,
    store: MemoryStore,
    tmp_path: Path,
    clock: ManualClock,
    text: str,
) -> None:
    writer.back_up("manual")
    drills.run(OWNER)
    path = tmp_path / "drill" / "drill.json"
    path.write_bytes(text.encode("latin-1"))
    record = drills_on(store, tmp_path, clock).record
    assert (record.last, record.since) == (None, clock())
    assert "kept as drill.json.damaged" in record.note
    assert (tmp_path / "drill" / "drill.json.damaged").read_bytes() == text.encode("latin-1")
    # It is said also later, after the next outcomes.
    again = drills_on(store, tmp_path, clock)
    again.run(OWNER)
    assert drills_on(store, tmp_path, clock).record.note == record.note


def test_a_record_that_cannot_be_kept_is_no_secret(
    writer: Replica, store: MemoryStore, tmp_path: Path, clock: ManualClock
) -> None:
    writer.back_up("manual")
    (tmp_path / "drill").write_text("a file where the folder belongs")
    drills = drills_on(store, tmp_path, clock)
    outcome = drills.run(OWNER)
    assert outcome.is_good
    assert drills.record.last == outcome
    assert "not kept" in drills.record.note
    (tmp_path / "drill").unlink()
    drills.run(OWNER)
    assert drills.record.note == ""


# When it is due -----------------------------------------------------------------------------------


def outcome_of(result: DrillResult) -> DrillOutcome:
    return DrillOutcome(result=result, finished_at=AFTERNOON, duration_seconds=1.0)


@pytest.mark.parametrize(
    ("result", "pause"),
    [
        (DrillResult.GOOD, timedelta(days=1)),
        (DrillResult.NOT_DONE, timedelta(hours=1)),
        (DrillResult.DAMAGED, timedelta(hours=6)),
        (DrillResult.NO_BACKUP, timedelta(hours=6)),
    ],
)
def test_when_the_next_drill_is_due(result: DrillResult, pause: timedelta) -> None:
    record = DrillRecord(since=AFTERNOON).with_outcome(outcome_of(result))
    started = AFTERNOON - DAY
    assert next_drill_at(record, started, AFTERNOON + timedelta(minutes=1)) == AFTERNOON + pause
    # A clock that has gone back since makes it due, and never late by years.
    assert next_drill_at(record, started, AFTERNOON - timedelta(days=900)) < AFTERNOON


def test_a_new_process_lets_its_first_visitors_pass() -> None:
    record = DrillRecord(since=AFTERNOON)
    assert next_drill_at(record, AFTERNOON, AFTERNOON) == AFTERNOON + timedelta(minutes=10)


def test_what_is_due_runs_once(writer: Replica, drills: Drills, clock: ManualClock) -> None:
    writer.back_up("manual")
    assert drills.run_if_due() is None
    clock.advance(minutes=10)
    first = drills.run_if_due()
    assert first is not None
    assert first.is_good
    assert drills.run_if_due() is None
    clock.advance(days=1)
    assert drills.run_if_due() is not None


def test_one_that_runs_is_not_joined_by_another(
    writer: Replica, store: MemoryStore, drills: Drills, clock: ManualClock
) -> None:
    writer.back_up("manual")
    clock.advance(minutes=10)
    others: list[DrillOutcome | None] = []
    seen: list[tuple[float, str] | None] = []

    def look(verb: str, key: str) -> None:
        if key == log_key(3):
            others.append(drills.run_if_due())
            seen.append(drills.progress)

    store.before = look
    assert drills.run_if_due() is not None
    assert others == [None]
    [progress] = seen
    assert progress is not None
    assert 0 < progress[0] < 1
    assert progress[1].startswith("Playing the log, entry ")


def test_the_app_drills_by_itself_and_says_so(
    reference_path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    clock.now = AFTERNOON
    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings, clock) as application:
        published(application)
        application.back_up(OWNER)
        application.safekeeping.run()
        before = application.drills.record
        clock.advance(minutes=10)
        application.safekeeping.run()
        after = application.drills.record
        assert (before.last, after.last) == (None, after.last_good)
        assert after.last_good is not None
        assert application.saved_state().drill == after
        assert application.safekeeping.error is None
    with pytest.raises(DrillStopped):
        application.drills.run(OWNER)


# A real bucket -----------------------------------------------------------------------------------


def test_against_a_bucket(
    moto_endpoint: str, new_bucket: Callable[[str], str], tmp_path: Path, clock: ManualClock
) -> None:
    store = S3Store(
        S3Options(
            bucket=new_bucket(moto_endpoint),
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",
            endpoint_url=moto_endpoint,
        )
    )
    replica = open_replica(
        tmp_path / "writer.db", store, migrations=MIGRATIONS, tables=REPLICATED_TABLES
    )
    try:
        replica.restore()
        know(replica, 1)
        key = replica.back_up("manual").key
    finally:
        replica.close(0)
    drills = drills_on(store, tmp_path, clock)
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.backup_key, outcome.rows) == (DrillResult.GOOD, key, 1)


# The command --------------------------------------------------------------------------------------


@pytest.fixture
def saved_backup(reference_path: Path, here: Path) -> str:
    """The key of a backup that another machine has made."""
    settings = settings_for(here / "other", reference_path, here / "store")
    with running(settings) as application:
        published(application)
        application.back_up(OWNER)
    [path] = (here / "store" / "backups").iterdir()
    return f"backups/{path.name}"


def test_the_command_says_what_came_back(
    here: Path, saved_backup: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drill", "--quiet"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{saved_backup} came back with the log's own rows: ")
    assert cli.main(["drill", "--quiet", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["result"], facts["backup_key"]) == ("good", saved_backup)
    assert facts["rows"] > 500
    assert (facts["sequence"], facts["played_from"]) == (2, 1)
    assert (drill_folder(here / "state" / "folder" / "nba_stats.db") / "drill.json").exists()


def test_the_command_fails_with_the_drill(
    here: Path, saved_backup: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = here / "store" / saved_backup
    path.write_bytes(corrupted(path.read_bytes()))
    assert cli.main(["drill", "--quiet"]) == 1
    assert saved_backup in capsys.readouterr().out
    assert cli.main(["drill", "--quiet", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["result"] == "damaged"


def test_the_command_without_a_backup(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drill", "--quiet"]) == 1
    assert "There is no backup yet." in capsys.readouterr().out
    assert not list((here / "store").rglob("*.zst"))
