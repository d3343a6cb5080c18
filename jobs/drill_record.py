"""What the restore drills found, kept in a file beside the state: this machine's own experience."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from jobs.replacing import replace_file
from replica import local_faults

__all__ = ["DrillOutcome", "DrillRecord", "DrillResult", "DrillShelf", "next_drill_at"]

_FORMAT: Final = 1
_FILE: Final = "drill.json"
_PROVEN: Final = "proven.db.zst"
_ASIDE: Final = "drill.json.damaged"

_AFTER_START: Final = timedelta(minutes=10)
_UNTIL_AGAIN: Final = timedelta(days=1)
_UNTIL_RETRY: Final = timedelta(hours=1)
_UNTIL_ANOTHER_BACKUP: Final = timedelta(hours=6)


class DrillResult(enum.Enum):
    """GOOD: the backup came back, with the log's own rows. DAMAGED: it did not.
    NO_BACKUP: there is none yet. NOT_DONE: store or disk kept the drill from its end.
    """

    GOOD = "good"
    DAMAGED = "damaged"
    NO_BACKUP = "no_backup"
    NOT_DONE = "not_done"


@dataclass(frozen=True, slots=True)
class DrillOutcome:
    """One drill.

    Attributes:
        result: how it ended.
        finished_at: when (UTC, this machine's clock).
        duration_seconds: how long it took.
        backup_key: the object that was restored, "" if there was none.
        sequence: the log entry that the backup goes up to, 0 if that is not known.
        tables, rows: how many were compared with the log's.
        sha256: one hash over all rows (hex), "" unless the drill was good.
        played_from: the entry from which the log was played: 1, or that of an earlier copy.
        advice: what is wrong and what helps, for everybody: no bucket, host, key or path.
        problem: the same for the owner, with operation and key.
    """

    result: DrillResult
    finished_at: datetime
    duration_seconds: float
    backup_key: str = ""
    sequence: int = 0
    tables: int = 0
    rows: int = 0
    sha256: str = ""
    played_from: int = 0
    advice: str = ""
    problem: str = ""

    @property
    def is_good(self) -> bool:
        """Whether a restore would have worked."""
        # By value: a reload of the code makes new enum members of the same meaning.
        return self.result.value == DrillResult.GOOD.value


@dataclass(frozen=True, slots=True)
class DrillRecord:
    """All that is remembered.

    Attributes:
        since: when this machine began to keep the record (UTC).
        last, last_good: the newest drill, and the newest good one; None if there was none.
        last_damaged: the newest that found a backup damaged; None once a good one came after it.
        last_whole_at: when the newest good one ended that played the log from its first entry.
        note: what became of an earlier record that could not be read, "" if nothing did.
    """

    since: datetime
    last: DrillOutcome | None = None
    last_good: DrillOutcome | None = None
    last_whole_at: datetime | None = None
    note: str = ""
    last_damaged: DrillOutcome | None = None

    def with_outcome(self, outcome: DrillOutcome) -> DrillRecord:
        """The record after one more drill."""
        if outcome.result.value == DrillResult.DAMAGED.value:
            return replace(self, last=outcome, last_damaged=outcome)
        if not outcome.is_good:
            # A store that is away says nothing about what was found before.
            return replace(self, last=outcome)
        whole_at = outcome.finished_at if outcome.played_from == 1 else self.last_whole_at
        return replace(
            self, last=outcome, last_good=outcome, last_whole_at=whole_at, last_damaged=None
        )


def next_drill_at(record: DrillRecord, started_at: datetime, now: datetime) -> datetime:
    """When the next drill is due (UTC).

    Not in the first minutes of a process, whose visitors wait for other things. A good one is
    repeated after a day. What failed is tried again sooner, but a damaged backup not at once:
    only another one, or a mended log, changes the answer. A time of a clock that has gone back
    since says nothing.
    """
    earliest = started_at + _AFTER_START
    last = record.last
    if last is None or last.finished_at > now:
        return earliest
    match last.result.value:
        case DrillResult.GOOD.value:
            pause = _UNTIL_AGAIN
        case DrillResult.NOT_DONE.value:
            pause = _UNTIL_RETRY
        case _:
            pause = _UNTIL_ANOTHER_BACKUP
    return max(earliest, last.finished_at + pause)


class DrillShelf:
    """The folder with the record, and the copy that the last good drill proved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, now: datetime) -> DrillRecord:
        """The record; one that begins `now` where there is none.

        A record that cannot be understood is put aside and said so. Raises LocalError.
        """
        path = self._folder / _FILE
        with local_faults("read", path):
            try:
                text = path.read_text(encoding="utf-8")
            except FileNotFoundError:
                return DrillRecord(since=now)
            except UnicodeDecodeError:
                return self._begin_anew(path, now)
        try:
            return _record_of(json.loads(text))
        except (ValueError, KeyError, TypeError):
            return self._begin_anew(path, now)

    def write(self, record: DrillRecord) -> None:
        """Replace the record; a crash leaves the old or the new one. Raises LocalError."""
        document = {"format": _FORMAT, **asdict(record)}
        text = json.dumps(document, default=_plain, indent=1)
        replace_file(self._folder / _FILE, text.encode())

    def proven(self) -> bytes | None:
        """The compressed copy that the last good drill proved; None if there is none.

        Whoever reads it checks it: the disk may have damaged it. Raises LocalError.
        """
        path = self._folder / _PROVEN
        with local_faults("read", path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def keep_proven(self, body: bytes) -> None:
        """Keep the copy that was just proved, in place of an older one. Raises LocalError."""
        replace_file(self._folder / _PROVEN, body)

    def _begin_anew(self, path: Path, now: datetime) -> DrillRecord:
        aside = path.with_name(_ASIDE)
        with local_faults("set aside", path):
            path.replace(aside)
        return DrillRecord(
            since=now,
            note=f"The record of earlier drills could not be read and was kept as {aside.name}.",
        )


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case enum.Enum():
            return value.value
        case _:
            raise TypeError(f"{value!r} has no place in a record")


def _record_of(document: Mapping[str, Any]) -> DrillRecord:
    if document["format"] != _FORMAT:
        raise ValueError(document["format"])
    return DrillRecord(
        since=_moment(document["since"]),
        last=_outcome_of(document["last"]),
        last_good=_outcome_of(document["last_good"]),
        last_whole_at=_moment(whole_at) if (whole_at := document["last_whole_at"]) else None,
        note=str(document["note"]),
        # An earlier version had no such note.
        last_damaged=_outcome_of(document.get("last_damaged")),
    )


def _outcome_of(document: Mapping[str, Any] | None) -> DrillOutcome | None:
    if document is None:
        return None
    facts = dict(document)
    return DrillOutcome(
        result=DrillResult(facts.pop("result")),
        finished_at=_moment(facts.pop("finished_at")),
        **facts,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)
