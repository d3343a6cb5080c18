"""One of several processes that write to one store: `python -m tests.writer_process JSON`.

The argument says where and what, see `Orders`. A line is printed when something is certain:

- `durable TRANSACTION NOTE KEY` after each write that the engine calls durable,
- `done` after the last one; then a line of input is awaited,
- `content SEQUENCE SHA256` when this replica has caught up.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import apsw

from replica import Migration, ObjectStore, Replica, StoreError
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Store
from tests.servers import s3_options

__all__ = ["MIGRATIONS", "TABLES", "Orders", "content", "open_writer", "store_of"]

MIGRATIONS = (
    Migration(
        1,
        "notes and a board",
        "CREATE TABLE notes (note_id TEXT PRIMARY KEY NOT NULL, key TEXT NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE board (slot INTEGER PRIMARY KEY NOT NULL, key TEXT NOT NULL)",
    ),
)
TABLES = ("notes", "board")

SLOTS = 5
"""Rows that all writers change, so that they get into each other's way."""

ATTEMPTS = 200
DURABLE_WITHIN_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class Orders:
    """What a writer does: notes number `first` to `last` - 1 of `name`, in a file of its own.

    `place` is a folder, or the address of a server with the bucket's name after it. Every
    `tick_every` writes it does what the five-minute job does; 0 is never.
    """

    name: str
    path: str
    place: tuple[str, ...]
    first: int
    last: int
    tick_every: int = 0


def store_of(place: tuple[str, ...]) -> ObjectStore:
    """The folder or the bucket that orders name."""
    if len(place) == 1:
        return FolderStore(Path(place[0]))
    endpoint, bucket = place
    return S3Store(s3_options(endpoint, bucket, connect_timeout_seconds=2.0))


def open_writer(path: Path, store: ObjectStore) -> Replica:
    """A replica with the writers' tables that tries again soon."""
    return Replica(
        path,
        store,
        MIGRATIONS,
        tables=TABLES,
        clock=lambda: datetime.now(UTC),
        random=Random(),
        backoff_base_seconds=0.01,
        backoff_cap_seconds=0.2,
    )


def content(connection: apsw.Connection) -> str:
    """A hash of all rows that replicas share."""
    rows = [
        (table, *row)
        for table in (*TABLES, "sync_conflicts")
        for row in connection.execute(f"SELECT * FROM main.{table} ORDER BY 1")
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def patiently(action: Callable[[], object]) -> None:
    """Repeats what a store that fails now and then can make fail."""
    for _ in range(ATTEMPTS - 1):
        try:
            action()
        except StoreError:
            continue
        return
    action()


def write(replica: Replica, name: str, number: int) -> str:
    """One note and one change of the board; what `durable` is printed with."""
    key, note_id = f"{name}-{number}", str(uuid.uuid4())
    with replica.transaction(wait_seconds=DURABLE_WITHIN_SECONDS) as transaction:
        transaction.execute("INSERT INTO notes VALUES (?, ?)", (note_id, key))
        transaction.execute(
            "INSERT INTO board VALUES (?, ?) ON CONFLICT (slot) DO UPDATE SET key = excluded.key",
            (number % SLOTS, key),
        )
    return f"{transaction.id} {note_id} {key}"


def run(orders: Orders) -> None:
    """Follows orders."""
    replica = open_writer(Path(orders.path), store_of(orders.place))
    patiently(replica.restore)
    replica.start_publisher()
    for number in range(orders.first, orders.last):
        print("durable", write(replica, orders.name, number), flush=True)
        if orders.tick_every and number % orders.tick_every == orders.tick_every - 1:
            patiently(replica.tick)
    print("done", flush=True)
    sys.stdin.readline()
    patiently(replica.sync_now)
    with replica.read() as connection:
        print("content", replica.status().sequence, content(connection), flush=True)
    replica.close(0)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    run(Orders(**(told | {"place": tuple(told["place"])})))
