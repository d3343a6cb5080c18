"""What was used of the bucket, day by day: a row for each process that counted. Days are UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import apsw

from replica import Transaction

__all__ = [
    "UsageRow",
    "forget_usage",
    "forget_usage_ahead",
    "usage_rows",
    "usage_transactions",
    "write_usage",
]


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One process's day.

    Attributes:
        day: the UTC date.
        writer_id: the process, or those that shared its disk one after the other.
        figures: JSON, see `usage.days.WriterDay`.
    """

    day: date
    writer_id: str
    figures: str


def usage_rows(connection: apsw.Connection, since: date) -> list[UsageRow]:
    """Every row from a day on, oldest day first."""
    rows = connection.execute(
        "SELECT day, writer_id, figures FROM main.usage_days WHERE day >= ?"
        " ORDER BY day, writer_id",
        (since.isoformat(),),
    )
    return [
        UsageRow(date.fromisoformat(str(day)), str(writer_id), str(figures))
        for day, writer_id, figures in rows
    ]


def usage_transactions(connection: apsw.Connection, since: date) -> set[str]:
    """The ids of the transactions that only wrote what was used, of the days from one on.

    Those that wrote of pictures are among them.
    """
    rows = connection.execute(
        "SELECT written.value FROM (SELECT day, figures FROM main.usage_days"
        " UNION ALL SELECT day, figures FROM main.image_days) AS d,"
        " json_each(CASE WHEN json_valid(d.figures) THEN d.figures ELSE '{}' END,"
        " '$.transactions') AS written WHERE d.day >= ?",
        (since.isoformat(),),
    )
    return {str(transaction_id) for (transaction_id,) in rows}


def write_usage(transaction: Transaction, rows: Iterable[UsageRow]) -> None:
    """Put rows in place of what the same processes had said of the same days."""
    transaction.executemany(
        "INSERT INTO usage_days (day, writer_id, figures) VALUES (?,?,?)"
        " ON CONFLICT (day, writer_id) DO UPDATE SET figures = excluded.figures",
        [(row.day.isoformat(), row.writer_id, row.figures) for row in rows],
    )


def forget_usage(transaction: Transaction, before: date) -> None:
    """Let go of all rows of the days before one."""
    transaction.execute("DELETE FROM usage_days WHERE day < ?", (before.isoformat(),))


def forget_usage_ahead(transaction: Transaction, writer_id: str, after: date) -> None:
    """Let go of a process's rows of the days after one: its clock was ahead.

    Others' rows stay, for it may be this clock that is wrong.
    """
    transaction.execute(
        "DELETE FROM usage_days WHERE writer_id = ? AND day > ?", (writer_id, after.isoformat())
    )
