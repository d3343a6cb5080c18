"""What a caller's block may do to the database."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import apsw

__all__ = ["Bindings", "Transaction", "Value", "guarding"]

Value = None | int | float | str | bytes
Bindings = Sequence[Value] | Mapping[str, Value]

_ENGINE_PREFIX = "replica_"
_ENGINE_SETTINGS = frozenset({"user_version", "application_id", "writable_schema", "query_only"})
_WRITES = frozenset({apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})
_NOT_IN_A_BLOCK = frozenset({apsw.SQLITE_TRANSACTION, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH})
# They would outlive the block: a trigger of this connection would fire when others' changes come.
_TEMPORARY = frozenset(
    {
        apsw.SQLITE_CREATE_TEMP_INDEX,
        apsw.SQLITE_CREATE_TEMP_TABLE,
        apsw.SQLITE_CREATE_TEMP_TRIGGER,
        apsw.SQLITE_CREATE_TEMP_VIEW,
    }
)
_DENIED = _NOT_IN_A_BLOCK | _TEMPORARY


class Transaction:
    """What ``Replica.transaction()`` yields; ``id`` names it in waits and in other tables."""

    def __init__(self, connection: apsw.Connection, transaction_id: str) -> None:
        self.id = transaction_id
        self._connection = connection
        self._cursors: list[apsw.Cursor] = []
        self._ended = False

    def execute(self, sql: str, bindings: Bindings | None = None) -> apsw.Cursor:
        """Run a statement; take the rows from the cursor before the transaction ends.

        Of several statements, those after the first that returns a row run only when its rows
        have been taken.
        """
        return self._cursor().execute(sql, bindings)

    def executemany(self, sql: str, rows: Iterable[Bindings]) -> None:
        """Run a statement once for each row of bindings."""
        # What returns a row goes on only when that is taken.
        for _ in self._cursor().executemany(sql, rows):
            pass

    def end(self) -> None:
        """Close the cursors: one that was left half read would keep the file busy."""
        self._ended = True
        for cursor in self._cursors:
            cursor.close(True)

    def _cursor(self) -> apsw.Cursor:
        if self._ended:
            raise RuntimeError("the transaction has ended")
        cursor = self._connection.cursor()
        self._cursors.append(cursor)
        return cursor


@contextmanager
def guarding(connection: apsw.Connection) -> Iterator[None]:
    """Refuse what would write to the engine's tables, end the transaction or outlive the block.

    They raise apsw.AuthError.
    """
    connection.authorizer = _authorize
    try:
        yield
    finally:
        connection.authorizer = None


def _authorize(
    action: int, first: str | None, second: str | None, _schema: str | None, _inner: str | None
) -> int:
    own = action in _WRITES and first is not None and first.startswith(_ENGINE_PREFIX)
    setting = action == apsw.SQLITE_PRAGMA and second is not None and first is not None
    engines = setting and str(first).casefold() in _ENGINE_SETTINGS
    return apsw.SQLITE_DENY if own or engines or action in _DENIED else apsw.SQLITE_OK
