"""A run through everything a replica does, that can be interrupted anywhere and begun again."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

import apsw

from replica import Migration, ObjectStore, Replica, State
from replica.envelope import unpack_entry
from replica.localfaults import local_faults
from tests.stores import ManualClock, open_replica

__all__ = ["Ledger", "Notebook", "Run", "check_in_place", "check_new_machines", "check_whole"]

MIGRATIONS = (
    Migration(
        1,
        "tables",
        "CREATE TABLE notes (name TEXT PRIMARY KEY NOT NULL, text TEXT);"
        "CREATE TABLE journal (transaction_id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID",
    ),
    Migration(2, "stars", "ALTER TABLE notes ADD COLUMN stars INTEGER"),
)
TABLES = ("notes", "journal")
NAMES = ("a", "b")

_WRITE = (
    "INSERT INTO notes (name, text) VALUES (?, ?)"
    " ON CONFLICT (name) DO UPDATE SET text = excluded.text"
)

Statement = tuple[str, Sequence[str | int]]


class Notebook(Protocol):
    """Where a run writes down what it was told, so that its own death does not take it along."""

    def begin(self) -> tuple[int, int]:
        """A new attempt; its number, and the version of the program that is deployed."""

    def deploy(self, version: int) -> None:
        """From here on the program is this version."""

    def commit(self, replica: str, transaction_id: str) -> None:
        """A transaction's block has ended: a file holds it."""

    def publish(self, replica: str) -> None:
        """A synchronisation has succeeded: the log holds all that this replica committed."""


@dataclass
class Ledger:
    """The notebook of a run."""

    attempts: int = 0
    version: int = 1
    committed: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    durable: set[str] = field(default_factory=set)

    def begin(self) -> tuple[int, int]:
        self.attempts += 1
        return self.attempts, self.version

    def deploy(self, version: int) -> None:
        self.version = version

    def commit(self, replica: str, transaction_id: str) -> None:
        self.committed[replica].append(transaction_id)

    def publish(self, replica: str) -> None:
        self.durable.update(self.committed[replica])


class Run:
    """Two replicas on one store. ``go`` raises whatever went wrong; then it can be called again."""

    def __init__(self, folder: Path, store: ObjectStore, notebook: Notebook) -> None:
        self.folder = folder
        self.store = store
        self.notebook = notebook
        self.attempt, self.version = notebook.begin()
        self.opened: dict[str, Replica] = {}
        self._restored: set[str] = set()
        self._openings = 0

    def go(self) -> None:
        """Does not end well unless the content is the right one."""
        number = self.attempt
        a = self.replica("a")
        # What an attempt before this one left does not count.
        self.write("a", ("DELETE FROM notes", ()))
        self.write("a", (_WRITE, ("one", f"1 {number}")), (_WRITE, ("two", "2")))
        self.write("a", ("DELETE FROM notes WHERE name = ?", ("two",)))
        self.publish("a")
        self.publish("b")
        self._lose_race()
        self._migrate()
        a = self.replica("a")
        a.snapshot()
        self.write("a", ("UPDATE notes SET stars = ? WHERE name = ?", (number, "one")))
        self.publish("a")
        a.tick()
        self._lose_disk("b")
        status = a.status()
        if status.last_error is not None:
            raise status.last_error
        moment = status.sequence
        self.write("a", (_WRITE, ("later", "unwanted")))
        self.write("b", (_WRITE, ("meanwhile", f"{number}")))
        self.publish("a")
        a.restore_to(moment)
        self.publish("b")
        self.write("a", (_WRITE, ("last", f"{number}")))
        for name in ("a", "b", "a"):
            self.publish(name)
        for name in NAMES:
            self._check_end(name)
        self.close()

    def replica(self, name: str) -> Replica:
        """Opened and restored, if it is not."""
        if name not in self.opened:
            self._openings += 1
            path = self.path(name)
            self.opened[name] = open_replica(
                path,
                self.store,
                migrations=MIGRATIONS[: self.version],
                tables=TABLES,
                fetch_workers=1,
                clock=ManualClock(),
                random=Random(f"{name} {self.attempt} {self._openings}"),
            )
            self._restored.discard(name)
        if name not in self._restored:
            self.opened[name].restore()
            self._restored.add(name)
        return self.opened[name]

    def write(self, name: str, *statements: Statement) -> None:
        replica = self.replica(name)
        with replica.transaction() as transaction:
            for sql, bindings in statements:
                transaction.execute(sql, bindings)
            # So that every transaction changes something, whatever it meets.
            transaction.execute("INSERT INTO journal VALUES (?)", (transaction.id,))
        self.notebook.commit(name, transaction.id)

    def publish(self, name: str) -> None:
        self.replica(name).sync_now()
        self.notebook.publish(name)

    def close(self) -> None:
        while self.opened:
            name = next(iter(self.opened))
            self.opened[name].close(0)
            del self.opened[name]

    def path(self, name: str) -> Path:
        return self.folder / name / "x.db"

    def _lose_race(self) -> None:
        self.write("b", (_WRITE, ("shared", f"from b {self.attempt}")))
        self.write("a", (_WRITE, ("shared", f"from a {self.attempt}")))
        self.write("a", (_WRITE, ("only a", f"{self.attempt}")))
        for name in ("b", "a", "b"):
            self.publish(name)

    def _migrate(self) -> None:
        self.close()
        self.version = 2
        self.notebook.deploy(2)
        for name in NAMES:
            self.publish(name)

    def _lose_disk(self, name: str) -> None:
        self.publish(name)
        self.opened.pop(name).close(0)
        shutil.rmtree(self.path(name).parent)
        self.replica(name)

    def _check_end(self, name: str) -> None:
        number = self.attempt
        # What goes wrong while a caller reads is SQLite's own error.
        with self.opened[name].read() as connection, local_faults("read", self.path(name)):
            found = connection.execute("SELECT name, text, stars FROM notes ORDER BY name")
            rows = found.fetchall()
            sql = "SELECT kept FROM sync_conflicts WHERE lost = ?"
            lost = connection.execute(sql, (f'"from b {number}"',)).fetchall()
        assert rows == [
            ("last", f"{number}", None),
            ("meanwhile", f"{number}", None),
            ("one", f"1 {number}", number),
            ("only a", f"{number}", None),
            ("shared", f"from a {number}", None),
        ], rows
        assert lost == [(f'"from a {number}"',)], lost


def check_whole(run: Run, ledger: Ledger) -> None:
    """After an interruption: files are sound, can be used, and nothing acknowledged is lost."""
    in_log = check_log(run.store)
    missing = ledger.durable - in_log.keys()
    assert not missing, f"reported as durable, not in the log: {missing}"
    for name in NAMES:
        path = run.path(name)
        if path.exists() and path.stat().st_size:
            with closing(apsw.Connection(str(path))) as connection:
                found = connection.pragma("integrity_check")
            assert found == "ok", f"{name}: {found}"
    for name in ("a", "b", "a"):
        run.publish(name)
    check_equal(run)
    in_log = check_log(run.store)
    for name in NAMES:
        for transaction_id in ledger.committed[name]:
            assert transaction_id in in_log, f"{name} has lost {transaction_id}"
            run.opened[name].wait_until_durable(transaction_id, 0)
    beside = sorted(path.name for path in run.folder.glob("*/*"))
    expected = [f"x.db{end}" for end in ("", "-shm", "-wal", ".lock") for _ in NAMES]
    assert beside == sorted(expected), beside


def check_in_place(run: Run) -> None:
    """After an error: what was open then goes on as if nothing had been, and can be closed."""
    names = [name for name in NAMES if name in run.opened]
    for name in (*names, *names[:1]):
        run.publish(name)
    check_equal(run)
    for name in names:
        with run.opened[name].read() as connection:
            found = connection.pragma("integrity_check")
        assert found == "ok", f"{name}: {found}"
    run.close()


def check_equal(run: Run) -> None:
    """All replicas that are open hold the same, and all of it is in the log."""
    contents = {name: _content(replica) for name, replica in run.opened.items()}
    assert len(set(map(repr, contents.values()))) <= 1, contents
    for replica in run.opened.values():
        status = replica.status()
        assert (status.state, status.pending_transactions) == (State.OK, 0), status


def check_log(store: ObjectStore) -> Counter[str]:
    """How often each transaction is in the log: once."""
    ids = Counter(_logged(store))
    assert set(ids.values()) <= {1}, ids
    return ids


def check_new_machines(run: Run) -> None:
    """A new machine has what the others have, from a snapshot and from the very beginning."""
    expected = _content(run.replica("a"))
    for name in ("from a snapshot", "from the beginning"):
        fresh = run.replica(name)
        assert _content(fresh) == expected, name
        fresh.close(0)
        del run.opened[name]
        for info in run.store.list(""):
            if not info.key.startswith(("log/", "bases/")):
                run.store.delete(info.key)


def _logged(store: ObjectStore) -> Iterator[str]:
    for info in store.list("log/"):
        entry = unpack_entry(store.get(info.key).body, info.key)
        yield from entry.transaction_ids
        yield from entry.description.get("transactions", ())


def _content(replica: Replica) -> list[list[tuple[object, ...]]]:
    tables = ("notes", "journal", "sync_conflicts", "replica_transactions")
    with replica.read() as connection:
        return [sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables]
