"""An object store in an S3 bucket, or in a service that speaks S3's language."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from replica.errors import ObjectNotFound, StoreRejected
from replica.localfaults import local_faults
from replica.store import ObjectInfo, PutMode, StoredObject
from replica.stores.s3_answers import date_in, date_of, not_s3, save, whole
from replica.stores.s3_clients import check_options, make_clients
from replica.stores.s3_links import attachment
from replica.stores.s3_versions import LIST_VERSIONS, KeptVersion, kept_version, version_pages
from replica.stores.watched_file import WatchedFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from replica.stores.s3_bucket import S3Bucket
    from replica.stores.s3_requests import S3Request

__all__ = ["S3Options", "S3Store"]

# Services by other names than AWS's reject its newer checksums and host-style bucket addresses.
_AWS_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where a bucket is and how to talk to it. Nothing is checked before the first request.

    Without access_key_id and secret_access_key, AWS's own chain of credentials is used
    (environment, profile, role). encryption is "AES256", "aws:kms" or "none"; None means
    "aws:kms" with a kms_key_id and "AES256" without. "none" is for services that cannot encrypt
    on request, so it needs an endpoint_url that is not AWS's. Keys are stored below prefix.
    read_attempts counts the first one; a create is only ever sent once. on_request is told of
    every request that is sent, by any thread; it must not wait.
    """

    bucket: str
    region: str
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    # Not shown either: an address can carry a user name and a password.
    endpoint_url: str | None = field(default=None, repr=False)
    prefix: str = "predictions/"
    kms_key_id: str | None = None
    encryption: str | None = None
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0
    read_attempts: int = 4
    on_request: Callable[[S3Request], None] | None = field(default=None, repr=False, compare=False)

    @property
    def is_aws(self) -> bool:
        """Whether requests go to AWS itself."""
        if self.endpoint_url is None:
            return True
        host = (urlsplit(self.endpoint_url).hostname or "").rstrip(".")
        return any(host == domain or host.endswith(f".{domain}") for domain in _AWS_DOMAINS)


class S3Store:
    """An ObjectStore below one prefix of a bucket. Any thread may use it.

    Making one neither imports boto3 nor sends anything; the first request does.

    Two boto3 clients are made once and kept: a patient one that repeats failed reads, and one
    that sends a create exactly once, because a repeated create would meet its own first attempt
    and take it for somebody else's.
    """

    def __init__(self, options: S3Options, *, clock: Callable[[], datetime] = _utc_now) -> None:
        self._options = options
        self._clock = clock
        prefix = options.prefix.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._lock = threading.Lock()
        self._clients: tuple[S3Client, S3Client] | None = None
        self._clock_offset_seconds: float | None = None

    def __repr__(self) -> str:
        return f"S3Store({self.location!r})"

    @property
    def location(self) -> str:
        """ "s3://bucket/prefix/"; holds no credential."""
        return f"s3://{self._options.bucket}/{self._prefix}"

    @property
    def bucket(self) -> S3Bucket:
        """How the bucket is set up; sends nothing by itself."""
        from replica.stores.s3_bucket import S3Bucket

        return S3Bucket(
            self._options, self._prefix, self._ask, lambda what: self._connect(what, "bucket")[0]
        )

    @property
    def clock_offset_seconds(self) -> float | None:
        """The store's clock minus this machine's at the last answer, to about a second.

        None before the first answer. Refusals count: they carry the store's time too.
        """
        return self._clock_offset_seconds

    def get(self, key: str) -> StoredObject:
        """Reads an object whole (s3:GetObject).

        Raises ObjectNotFound only when the store itself names the key as missing, and
        StoreUnreachable when fewer bytes arrived than were announced.
        """
        return self._read("get", key, {"Key": self._full_key(key)})

    def get_file(self, key: str, path: Path) -> ObjectInfo:
        """Writes an object into a file as it comes (s3:GetObject). Raises as `get` does."""

        which = {"Key": self._full_key(key)}
        stored = self._read("get", key, which, lambda stream: save(stream, path))
        return replace(stored.info, size_bytes=path.stat().st_size)

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        """Writes an object, encrypted on request (s3:PutObject).

        CREATE raises ObjectExists when the store answers 412 or 409, which can also be this
        very write's own doing or another's that is still under way. After StoreUnreachable,
        StoreThrottled or StoreRejected the object may or may not be there. In all these cases
        reading the key settles it. The time returned is the Date of the store's answer.
        """
        creating = mode is PutMode.CREATE
        stored_at = self._write(key, {"Body": body}, creating=creating)
        return ObjectInfo(key, len(body), stored_at)

    def put_file(
        self,
        key: str,
        path: Path,
        media_type: str,
        on_read: Callable[[int], None] = lambda read_bytes: None,
    ) -> ObjectInfo:
        """Writes an object from a file in one request, read as it is sent (s3:PutObject).

        S3 takes 5 GiB at most.
        """
        with local_faults("read", path):
            file = path.open("rb")
        with file:
            content = {
                "Body": WatchedFile(file, on_read),
                "ContentType": media_type,
                "ContentDisposition": attachment(key.rpartition("/")[2]),
            }
            stored_at = self._write(key, content, creating=False)
            return ObjectInfo(key, file.seek(0, os.SEEK_END), stored_at)

    def _write(self, key: str, content: Mapping[str, Any], *, creating: bool) -> datetime:
        """When the store says that it has written it."""
        request: dict[str, Any] = {
            "Bucket": self._options.bucket,
            "Key": self._full_key(key),
            **content,
            **self._encryption(),
        }
        if creating:
            request["IfNoneMatch"] = "*"

        def call() -> tuple[Mapping[str, Any], bytes]:
            patient, once = self._connect("put", key)
            client = once if creating else patient
            return client.put_object(**request), b""

        answer, _ = self._ask("put", key, call, creating=creating)
        # A sign-in page or a proxy can answer 200 to anything; only a store names an ETag.
        if "ETag" not in answer:
            raise not_s3("put", key)
        stored_at = date_of(answer)
        if stored_at is None:
            raise StoreRejected(
                "put",
                key,
                "Use a service that sends its time with each answer: without it nobody can tell "
                "when something was saved.",
                "the answer has no Date header",
            )
        return stored_at

    def versions(self, key: str) -> list[StoredObject]:
        """What is kept of this very key, oldest first; without versioning at most what is there.

        Needs s3:ListBucketVersions and s3:GetObjectVersion. StoreRejected from services that
        know no versions.
        """
        found: list[StoredObject] = []
        for version_id in self._version_ids(key):
            chosen = {"Key": self._full_key(key), "VersionId": version_id}
            # One that a lifecycle rule removes meanwhile is not kept.
            with suppress(ObjectNotFound):
                found.append(self._read("get a version of", key, chosen))
        # Two of one second stay in the order in which they were listed.
        return sorted(found, key=lambda stored: stored.info.modified_at)

    def kept_versions(self, prefix: str) -> list[KeptVersion]:
        """Every version of every object below prefix, sorted by key, the newest of each first.

        Needs s3:ListBucketVersions. StoreRejected from services that know no versions.
        """
        where = self.location + prefix
        return [
            kept_version(entry, self._prefix, where)
            for answer in self._version_pages(self._prefix + prefix, where)
            for entry in answer.get("Versions", ())
        ]

    def _version_ids(self, key: str) -> list[str]:
        """Oldest first, without the marks that deletions leave."""
        name = self._full_key(key)
        newest_first: list[str] = []
        for answer in self._version_pages(name, key):
            listed = [*answer.get("Versions", ()), *answer.get("DeleteMarkers", ())]
            newest_first += [
                entry["VersionId"] for entry in answer.get("Versions", ()) if entry["Key"] == name
            ]
            # Keys are sorted: longer ones that begin alike come after all of this one's.
            if any(entry["Key"] != name for entry in listed):
                break
        return newest_first[::-1]

    def _version_pages(self, name: str, key: str) -> Iterator[Mapping[str, Any]]:
        def list_page(page: Mapping[str, Any]) -> Mapping[str, Any]:
            def call() -> tuple[Mapping[str, Any], bytes]:
                client, _ = self._connect(LIST_VERSIONS, key)
                return client.list_object_versions(Bucket=self._options.bucket, **page), b""

            return self._ask(LIST_VERSIONS, key, call)[0]

        return version_pages(name, key, list_page)

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        """All objects below prefix and after a key, sorted, pages followed (s3:ListBucket).

        Markers that consoles make for folders (keys ending in "/") are left out.
        """
        found: dict[str, ObjectInfo] = {}
        page: dict[str, Any] = {
            "Bucket": self._options.bucket,
            "Prefix": self._prefix + prefix,
        }
        if start_after:
            page["StartAfter"] = self._prefix + start_after
        where = self.location + prefix

        def call() -> tuple[Mapping[str, Any], bytes]:
            client, _ = self._connect("list", where)
            return client.list_objects_v2(**page), b""

        while True:
            answer, _ = self._ask("list", where, call)
            # An empty or foreign answer parses as a page without keys; taken at its word it
            # would make a full store look empty.
            if "IsTruncated" not in answer:
                raise not_s3("list", where)
            for entry in answer.get("Contents", ()):
                if not {"Key", "Size", "LastModified"} <= entry.keys():
                    raise not_s3("list", where)
                key = entry["Key"].removeprefix(self._prefix)
                # Not every service heeds StartAfter.
                if key > start_after and not key.endswith("/"):
                    # Listings carry fractions of a second on some services, reads never do.
                    modified_at = entry["LastModified"].astimezone(UTC).replace(microsecond=0)
                    found[key] = ObjectInfo(key, entry["Size"], modified_at)
            if not answer["IsTruncated"]:
                return [found[key] for key in sorted(found)]
            token = answer.get("NextContinuationToken")
            if not token or token == page.get("ContinuationToken"):
                raise StoreRejected("list", where, detail="the listing has no next page to follow")
            page["ContinuationToken"] = token

    def delete(self, key: str) -> None:
        """Removes an object (s3:DeleteObject); in a versioned bucket it can be brought back."""
        name = self._full_key(key)

        def call() -> tuple[Mapping[str, Any], bytes]:
            client, _ = self._connect("delete", key)
            return client.delete_object(Bucket=self._options.bucket, Key=name), b""

        # S3 says the same whether or not the object was there; some services do not.
        with suppress(ObjectNotFound):
            self._ask("delete", key, call)

    def _read(
        self,
        operation: str,
        key: str,
        which: Mapping[str, str],
        take: Callable[[Any], bytes] = lambda stream: bytes(stream.read()),
    ) -> StoredObject:
        def call() -> tuple[Mapping[str, Any], bytes]:
            client, _ = self._connect(operation, key)
            request: dict[str, Any] = {"Bucket": self._options.bucket, **which}
            return whole(lambda: client.get_object(**request), self._options.read_attempts, take)

        answer, body = self._ask(operation, key, call)
        modified_at = answer.get("LastModified")
        if modified_at is None:
            raise not_s3(operation, key)
        return StoredObject(ObjectInfo(key, len(body), modified_at.astimezone(UTC)), body)

    def _ask(
        self,
        operation: str,
        key: str,
        call: Callable[[], tuple[Mapping[str, Any], bytes]],
        *,
        creating: bool = False,
    ) -> tuple[Mapping[str, Any], bytes]:
        from replica.stores.s3_failures import FAILURES, Asked, headers_of, store_error

        asked_at = self._clock()
        try:
            answer, body = call()
        except FAILURES as error:
            self._note_clock(asked_at, date_in(headers_of(error)))
            asked = Asked(operation, key, creating, self._options, self._clock_offset_seconds)
            raise store_error(error, asked) from error
        self._note_clock(asked_at, date_of(answer))
        return answer, body

    def _note_clock(self, asked_at: datetime, store_time: datetime | None) -> None:
        if store_time is not None:
            answered_at = self._clock()
            local_time = asked_at + (answered_at - asked_at) / 2
            self._clock_offset_seconds = (store_time - local_time).total_seconds()

    def _full_key(self, key: str) -> str:
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise ValueError(f"not a key: {key!r}")
        return self._prefix + key

    def _encryption(self) -> dict[str, str]:
        options = self._options
        if options.encryption == "none":
            return {}
        if options.kms_key_id:
            return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": options.kms_key_id}
        return {"ServerSideEncryption": options.encryption or "AES256"}

    def _connect(self, operation: str, key: str) -> tuple[S3Client, S3Client]:
        with self._lock:
            if self._clients is None:
                check_options(self._options, operation, key)
                self._clients = make_clients(self._options)
            return self._clients
