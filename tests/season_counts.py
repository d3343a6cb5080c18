"""What a season of use is counted with: a store with the season's clock, and the server's own log.

The server keeps every version of an object. What S3 would remove by itself under the rules of
infra/ is removed here by hand.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from jobs.iam_policy import DELETED_BELOW
from jobs.state import LATEST_KEY
from replica import ObjectInfo, PutMode, StoredObject
from replica.snapshots import HEAD
from replica.stores.s3 import S3Store
from replica.stores.s3_versions import KeptVersion
from tests.servers import ministack_server, raw_client
from usage.cost import Version

__all__ = [
    "BUCKET",
    "OLD_VERSIONS",
    "Change",
    "DatedStore",
    "Day",
    "Season",
    "ServerLog",
    "StoredVersions",
    "counting_server",
    "expire_old_versions",
    "expires_after",
    "paid_versions",
    "stored_versions",
    "versions_of",
]

BUCKET = "nba-daily-season"
OLD_VERSIONS = timedelta(days=30)
"""How long infra/ lets old versions of snapshots, backups and their like be kept."""

_PREFIX = "predictions/"
_RULES = {**dict.fromkeys((*DELETED_BELOW, LATEST_KEY, HEAD), OLD_VERSIONS)}
_RULES |= dict.fromkeys(("exports/", "images/", "probe/"), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Change:
    """An object that was put, or deleted (`size_bytes` None), at a moment of the season."""

    moment: datetime
    key: str
    size_bytes: int | None


class DatedStore:
    """A bucket whose times are the season's, not the machine's; writes down what is asked.

    Attributes:
        changes: every put and delete that was done, in order.
        calls: how often each verb was called, by verb and by the first part of the key.
        bytes_read: content that was got.
    """

    def __init__(self, store: S3Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, datetime] = {}
        self.changes: list[Change] = []
        self.calls: Counter[tuple[str, str]] = Counter()
        self.bytes_read = 0

    @property
    def location(self) -> str:
        return self._store.location

    def get(self, key: str) -> StoredObject:
        self._call("GET", key)
        stored = self._store.get(key)
        with self._lock:
            self.bytes_read += len(stored.body)
        return replace(stored, info=self._dated(stored.info))

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        self._call("PUT", key)
        info = self._store.put(key, body, mode)
        with self._lock:
            now = self._clock()
            self._times[key] = now
            self.changes.append(Change(now, key, len(body)))
        return replace(info, modified_at=now)

    def kept_versions(self, prefix: str) -> list[KeptVersion]:
        self._call("LIST", prefix)
        return self._store.kept_versions(prefix)

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        self._call("LIST", prefix)
        return [self._dated(info) for info in self._store.list(prefix, start_after=start_after)]

    def delete(self, key: str) -> None:
        self._call("DELETE", key)
        self._store.delete(key)
        with self._lock:
            self.changes.append(Change(self._clock(), key, None))

    def _call(self, verb: str, key: str) -> None:
        with self._lock:
            self.calls[verb, key.partition("/")[0]] += 1

    def _dated(self, info: ObjectInfo) -> ObjectInfo:
        return replace(info, modified_at=self._times.get(info.key, info.modified_at))


class ServerLog:
    """The server's own log of requests, read as it grows; `requests` counts them by verb."""

    _LINE = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (/\S*) -> service=s3 ")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.requests: Counter[str] = Counter()

    def read(self) -> Counter[str]:
        """All requests up to now, without those that were passed over."""
        for verb, key in self._new():
            self.requests["LIST" if verb == b"GET" and not key else verb.decode()] += 1
        return Counter(self.requests)

    def pass_over(self) -> None:
        """What came since the last reading was not the app's."""
        self._new()

    def _new(self) -> list[tuple[bytes, bytes]]:
        """Verb and key of what came since the last reading."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            content = log.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        asked = [(verb, path[1:].partition(b"/")) for verb, path in self._LINE.findall(whole)]
        return [(verb, key) for verb, (bucket, _, key) in asked if bucket == BUCKET.encode()]


@dataclass(frozen=True, slots=True)
class StoredVersions:
    """What the server lists: the bytes of what is there now, and of older versions of it."""

    current_bytes: int
    current_objects: int
    older_bytes: int
    older_objects: int


@dataclass(frozen=True, slots=True)
class Day:
    """The counts as they stood when a day was over; `requests` are the server's own.

    `looks_left_out` are looks for news that were not sent, to save time; each is one GET. `calls`
    are the app's own, by verb and by the first part of the key; `stored` is what the server
    lists, by the first part of the key, and empty where it was not asked.
    """

    day: date
    ended_at: datetime
    requests: Mapping[str, int]
    looks_left_out: int
    calls: Mapping[tuple[str, str], int]
    bytes_read: int
    stored: Mapping[str, StoredVersions]


@dataclass(frozen=True, slots=True)
class Season:
    """What a season came to.

    Attributes:
        nights: dates with games.
        days: the counts after each day, in order, games or not.
        changes: every put and delete.
        usage: requests by operation, as the app's Usage page has them for its last two months.
    """

    nights: int
    days: Sequence[Day]
    changes: Sequence[Change]
    usage: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def counting_server(folder: Path) -> Iterator[tuple[str, ServerLog]]:
    """A server with one empty versioned bucket, and its log from then on."""
    path = folder / "server.log"
    before = os.environ.get("LOG_LEVEL")
    os.environ["LOG_LEVEL"] = "DEBUG"
    try:
        with ministack_server(path) as url:
            client = raw_client(url)
            client.create_bucket(Bucket=BUCKET)
            enabled = {"Status": "Enabled"}
            client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
            log = ServerLog(path)
            log.pass_over()
            yield url, log
    finally:
        if before is None:
            del os.environ["LOG_LEVEL"]
        else:
            os.environ["LOG_LEVEL"] = before


def stored_versions(url: str) -> dict[str, StoredVersions]:
    """What the server keeps, by the first part of the key below the app's prefix."""
    sums: dict[str, list[int]] = {}
    pages = raw_client(url).get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    for page in pages:
        for version in page.get("Versions", ()):
            group = version["Key"].partition("/")[2].partition("/")[0]
            found = sums.setdefault(group, [0, 0, 0, 0])
            older = 0 if version["IsLatest"] else 2
            found[older] += version["Size"]
            found[older + 1] += 1
    return {group: StoredVersions(*found) for group, found in sums.items()}


def versions_of(changes: Iterable[Change]) -> dict[str, list[Version]]:
    """Every version that was ever stored, oldest first, by key; `until` is when it became old."""
    found: dict[str, list[Version]] = {}
    for change in changes:
        versions = found.setdefault(change.key, [])
        if versions and versions[-1].until is None:
            versions[-1] = replace(versions[-1], until=change.moment)
        if change.size_bytes is not None:
            versions.append(Version(change.size_bytes, change.moment))
    return found


def expires_after(key: str) -> timedelta | None:
    """How long old versions of an object are kept; None for ever."""
    return next((span for prefix, span in _RULES.items() if key.startswith(prefix)), None)


def paid_versions(changes: Iterable[Change], *, rules: bool = True) -> list[Version]:
    """Every version with the time for which it is paid; without `rules` old ones stay for ever."""
    paid = []
    for key, versions in versions_of(changes).items():
        span = expires_after(key) if rules else None
        for version in versions:
            gone = None if version.until is None or span is None else version.until + span
            paid.append(replace(version, until=gone))
    return paid


def expire_old_versions(url: str, changes: Iterable[Change], now: datetime) -> None:
    """Remove what the rules of infra/ would have removed by now."""
    client = raw_client(url)
    due = {
        _PREFIX + key: sum(one.until is not None and one.until + span <= now for one in versions)
        for key, versions in versions_of(changes).items()
        if (span := expires_after(key)) is not None
    }
    total = {_PREFIX + key: len(versions) for key, versions in versions_of(changes).items()}
    kept: dict[str, list[str]] = {}
    for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for version in page.get("Versions", ()):
            kept.setdefault(version["Key"], []).append(version["VersionId"])
    for key, version_ids in kept.items():
        gone = total[key] - len(version_ids)
        for version_id in version_ids[::-1][: max(0, due.get(key, 0) - gone)]:
            client.delete_object(Bucket=BUCKET, Key=key, VersionId=version_id)
