"""The tables of the stats endpoints: `resultSets` of `headers` and `rowSet`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nba.silver.record import Malformed, Record

__all__ = ["rows_of"]


def rows_of(body: object, name: str, columns: Sequence[str]) -> Iterator[Record]:
    """The rows of one table of a response, by column names; other columns may stand between.

    Raises Malformed if the table, one of `columns` or a row's cell is missing.
    """
    table = _table(Record.of("The response", body), name)
    headers = table.entries("headers")
    names = [header for header in headers if isinstance(header, str)]
    missing = [column for column in columns if names.count(column) != 1]
    if missing:
        raise Malformed(f"{name} has not one column each of {', '.join(missing)}.")
    for number, row in enumerate(table.entries("rowSet"), start=1):
        if not isinstance(row, list) or len(row) != len(headers):
            raise Malformed(f"Row {number} of {name} has other cells than the header.")
        yield Record(f"row {number}", dict(zip(map(str, headers), row, strict=True)))


def _table(response: Record, name: str) -> Record:
    for value in response.entries("resultSets"):
        table = Record.of("A result set", value)
        if table.text("name") == name:
            return table
    raise Malformed(f"The response has no result set {name}.")
