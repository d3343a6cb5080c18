"""Local tables beside replicated ones: defects that were found, named for what went wrong."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from replica import Migration, Replica, State
from tests.replica_fixtures import Opener
from tests.stores import SCHEMA, MemoryStore, names, unpacked, write

LOCAL = (
    SCHEMA[0],
    Migration(
        2,
        "local tables",
        "CREATE TABLE cache (address TEXT PRIMARY KEY NOT NULL, note TEXT REFERENCES notes (name));"
        "CREATE TRIGGER gone AFTER DELETE ON cache BEGIN DELETE FROM notes; END;"
        "CREATE VIRTUAL TABLE search USING fts5 (words)",
    ),
)


@pytest.fixture
def replica(opened: Opener) -> Replica:
    replica = opened("a", migrations=LOCAL)
    write(replica, "x")
    with replica.transaction() as transaction:
        transaction.execute("INSERT INTO cache VALUES ('someone@example.com', 'x')")
        transaction.execute("INSERT INTO search VALUES ('someone')")
    return replica


def test_trigger_of_a_local_table_changed_the_snapshot(replica: Replica, opened: Opener) -> None:
    replica.snapshot()
    other = opened("b", migrations=LOCAL)
    assert names(other) == names(replica) == ["x"]
    with other.read() as connection:
        assert connection.execute("SELECT count(*) FROM cache").get == 0
        assert connection.execute("SELECT count(*) FROM search").get == 0


def test_local_tables_travelled_with_what_was_set_aside(
    replica: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    replica.sync_now()
    write(replica, "pending")
    replica.take_over_from_store()
    [key] = [key for key in store.objects if key.startswith("backups/")]
    with unpacked(store, key, tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM cache").get == 0
        assert [row[0] for row in connection.execute("SELECT name FROM notes")] == ["pending", "x"]
        assert connection.execute("SELECT count(*) FROM replica_outbox").get == 1


def test_local_row_that_refers_to_nothing_set_a_healthy_file_aside(
    replica: Replica, opened: Opener
) -> None:
    replica.sync_now()
    with replica.transaction() as transaction:
        transaction.execute("DELETE FROM notes WHERE name = 'x'")
    replica.close(0)
    again = opened("a", migrations=LOCAL)
    assert again.status().state is State.PENDING
    assert again.status().note == ""


def test_settings_of_the_engine_could_be_changed_in_capitals(replica: Replica) -> None:
    for statement in ("PRAGMA USER_VERSION = 9", "PRAGMA main.Writable_Schema = 1"):
        with pytest.raises(apsw.AuthError), replica.transaction() as transaction:
            transaction.execute(statement)
