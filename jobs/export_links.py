"""Links to exports: what is said of one, when it ends, and the query that reads by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from urllib.parse import unquote

from replica.stores.s3_links import LONGEST_LINK, CredentialsLife
from tracking.export_catalogue import Export

__all__ = ["SHORTEST_LINK", "Link", "duckdb_query", "end_of"]

SHORTEST_LINK: Final = timedelta(hours=1)
"""Nobody can ask for a shorter link. One may end sooner: with its export or its credentials."""

# Of a session token nobody says how long it is good for; most are for an hour or longer.
_UNKNOWN_END: Final = timedelta(hours=1)
# Clocks that differ by less are right.
_SAME_TIME: Final = timedelta(minutes=1)


def end_of(
    export: Export, now: datetime, lasts: timedelta, life: CredentialsLife, ahead: timedelta
) -> tuple[datetime, str]:
    """When a link ends that is asked for `lasts`, and why it ends sooner; "" if it does not.

    `now` is the store's time, which is so much ahead of this machine's.
    """
    ends_at, limited_by = now + lasts, ""
    # A link is signed by this machine's clock, and no longer than S3 takes.
    if now - ahead + LONGEST_LINK < ends_at:
        ends_at = now - ahead + LONGEST_LINK
        if ahead > _SAME_TIME:
            limited_by = "It ends earlier because this machine's clock is behind the store's."
    if export.expires_at < ends_at:
        ends_at = export.expires_at
        limited_by = "It ends with the export, which is kept no longer."
    if life.lasts is not None and now + life.lasts - ahead < ends_at:
        ends_at = now + life.lasts - ahead
        limited_by = "It ends with the app's present credentials, which end then."
    if life.is_temporary and life.lasts is None:
        warning = (
            "It may end earlier: the app's session token ends by itself, and nobody says when."
        )
        if now + _UNKNOWN_END < ends_at:
            ends_at, limited_by = now + _UNKNOWN_END, "It is for an hour at most."
        limited_by = f"{limited_by} {warning}".strip()
    return ends_at, limited_by


@dataclass(frozen=True, slots=True)
class Link:
    """An address that downloads one file of an export. Whoever has it can read the file.

    Attributes:
        path: the file's place in the export: its name, or `season=…/month=…/part-0.parquet`.
        address: works until `ends_at`. Show it; never log or keep it.
        ends_at: in UTC by the store's clock; it may end a second or two earlier.
        limited_by: why it ends sooner than was asked for, a sentence; "" if it does not.
        public_address: the same file through the public distribution; "" where there is none. It
            works as long as the export, and up to five minutes longer where a copy is on its way.
    """

    path: str
    address: str = field(repr=False)
    ends_at: datetime
    limited_by: str = ""
    public_address: str = field(default="", repr=False)


def duckdb_query(links: Sequence[Link]) -> str:
    """A query for DuckDB that reads the Parquet files behind links as one table.

    The folders' values (`season=2024-25`) become text columns. DuckDB would find them in a path,
    but a signed address writes its path in another way.
    """
    parts = []
    for folder, files in groupby(links, lambda link: link.path.rpartition("/")[0]):
        named = [part.split("=", 1) for part in folder.split("/") if "=" in part]
        columns = "".join(f', {_quoted(unquote(value))} AS "{name}"' for name, value in named)
        addresses = ",\n  ".join(_quoted(link.address) for link in files)
        parts.append(
            f"SELECT *{columns} FROM read_parquet([\n  {addresses}\n], hive_partitioning = false)"
        )
    return "\nUNION ALL BY NAME\n".join(parts) + ";"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
