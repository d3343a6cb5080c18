"""Where a file stands in the log, and what waits in it: values read from the engine's tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from replica.envelope import Entry, entry_sha256

__all__ = [
    "Fetched",
    "Pending",
    "Position",
    "Writer",
    "as_text",
    "each_pending",
    "forget_log",
    "moment_of",
    "read_claim",
    "read_envelopes",
    "read_outbox",
    "read_position",
    "read_sequence_of",
    "read_writers",
    "seconds_of",
    "write_position",
]

_PENDING = "SELECT position, transaction_id, intent, effect FROM replica_outbox"


@dataclass(frozen=True, slots=True)
class Position:
    """The newest entry that the content holds; the columns of ``replica_position``.

    ``stored_at`` is UTC text by the store's clock; ``sequence`` 0 means no log yet.
    """

    log_id: str = ""
    mode: str = ""
    sequence: int = 0
    entry_sha256: str = ""
    stored_at: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction that is not in the log.

    ``intent`` is what the caller changed; ``effect`` what that came to when it was last applied.
    """

    position: int
    transaction_id: str
    intent: bytes
    effect: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """A verified entry as it is in the store; ``modified_at`` is UTC by the store's clock.

    ``base`` is a verified file with the content that the entry names, if it names one.
    """

    entry: Entry
    body: bytes
    modified_at: datetime
    base: Path | None = None

    def position_after(self, mode: str) -> Position:
        """Where a file stands that has applied this entry."""
        parent, own = self.entry.parent_stored_at_s, int(self.modified_at.timestamp())
        return Position(
            log_id=self.entry.log_id,
            mode=mode,
            sequence=self.entry.sequence,
            entry_sha256=entry_sha256(self.body),
            stored_at=as_text(moment_of(max(parent, own))),
        )


@dataclass(frozen=True, slots=True)
class Writer:
    """One process's latest entry; ``stored_at`` is UTC by the store's clock."""

    writer_id: str
    sequence: int
    stored_at: datetime


def read_position(connection: apsw.Connection) -> Position:
    """Where the content stands."""
    rows = connection.execute(
        "SELECT log_id, mode, sequence, entry_sha256, stored_at FROM replica_position"
    )
    return Position(*next(rows))


def write_position(connection: apsw.Connection, position: Position) -> None:
    """Record where the content stands, within the caller's transaction."""
    connection.execute(
        "UPDATE replica_position SET (log_id, mode, sequence, entry_sha256, stored_at)"
        " = (?, ?, ?, ?, ?)",
        (
            position.log_id,
            position.mode,
            position.sequence,
            position.entry_sha256,
            position.stored_at,
        ),
    )


def forget_log(connection: apsw.Connection) -> None:
    """Take the numbers of an earlier log out of the content, within the caller's transaction.

    The time of a transaction without a log is not known yet: its number is the first entry's.
    """
    write_position(connection, Position())
    connection.execute("UPDATE replica_transactions SET sequence = 0 WHERE stored_at <> ''")


def read_outbox(connection: apsw.Connection, most: int = -1) -> Sequence[Pending]:
    """What is not in the log, oldest first; all of it can be too much for the memory."""
    rows = connection.execute(f"{_PENDING} ORDER BY position LIMIT ?", (most,))
    return [Pending(*row) for row in rows]


def each_pending(connection: apsw.Connection, *, newest_first: bool = False) -> Iterator[Pending]:
    """What is not in the log, one in memory at a time; each may be changed or deleted meanwhile."""
    order = "DESC" if newest_first else "ASC"
    sql = f"SELECT position FROM replica_outbox ORDER BY position {order}"
    for position in connection.execute(sql).fetchall():
        row = connection.execute(f"{_PENDING} WHERE position = ?", position).fetchone()
        if row is not None:
            yield Pending(*row)


def read_claim(connection: apsw.Connection) -> tuple[int, bytes] | None:
    """The sequence and the exact bytes of a claim whose outcome is not known, if there is one."""
    for sequence, body in connection.execute("SELECT sequence, body FROM replica_claim"):
        return sequence, body
    return None


def read_envelopes(connection: apsw.Connection) -> dict[int, bytes]:
    """The first and the newest entries' exact bytes by sequence, as far as they are kept."""
    return dict(
        connection.execute("SELECT sequence, body FROM replica_envelopes ORDER BY sequence")
    )


def read_sequence_of(connection: apsw.Connection, transaction_id: str) -> int | None:
    """Which entry holds a transaction; None for one that the log does not have."""
    sql = "SELECT sequence FROM replica_transactions WHERE transaction_id = ?"
    row = connection.execute(sql, (transaction_id,)).fetchone()
    return None if row is None else int(row[0])


def read_writers(connection: apsw.Connection) -> tuple[Writer, ...]:
    """Who wrote to the log lately, the latest first."""
    rows = connection.execute(
        "SELECT writer_id, sequence, stored_at FROM replica_writers ORDER BY sequence DESC"
    )
    return tuple(Writer(name, sequence, datetime.fromisoformat(at)) for name, sequence, at in rows)


def as_text(moment: datetime) -> str:
    """UTC text whose order is the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def moment_of(seconds: int) -> datetime:
    """Seconds since 1970 as a UTC time."""
    return datetime.fromtimestamp(seconds, UTC)


def seconds_of(text: str) -> int:
    """The inverse of ``as_text``, in seconds since 1970; 0 for an empty text."""
    return int(datetime.fromisoformat(text).timestamp()) if text else 0
