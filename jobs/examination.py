"""Examining the settings and the store: each thing that the app needs is tried, not guessed.

What is written for it lies below probe/, under names that nobody else uses, and is deleted again.
A versioned bucket keeps an older version and a delete marker of each until its rules remove them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import TypeVar
from urllib.parse import urlsplit

from jobs.authority import Actor, require_owner, sign_in_remedy
from jobs.bucket_findings import (
    clock_finding,
    encryption_finding,
    lifecycle_findings,
    public_access_finding,
    unknown_setting,
    versioning_finding,
)
from jobs.configuration import FolderSettings, Settings
from jobs.errors import ConfigurationError
from jobs.findings import Examination, Finding, FindingLevel, Subject, problem_of, warning_of
from jobs.iam_policy import DELETED_BELOW
from jobs.state import open_storage
from replica import (
    AccessDenied,
    BucketMissing,
    ClockSkewed,
    InvalidCredentials,
    ObjectNotFound,
    ObjectStore,
    PutMode,
    StoreError,
    StoreMode,
    StoreRejected,
    StoreThrottled,
    StoreUnreachable,
    VersionedStore,
    WrongRegion,
    probe_store,
)
from replica.stores.bucket import Bucket, ConfiguredStore
from replica.stores.s3 import S3Options

__all__ = ["examine", "examine_settings", "examine_store"]

Answer = TypeVar("Answer")

# After one of these the store answers nothing else either.
_OUT_OF_REACH = (
    BucketMissing,
    ClockSkewed,
    InvalidCredentials,
    StoreThrottled,
    StoreUnreachable,
    WrongRegion,
)
_REFUSED = (AccessDenied, StoreRejected)
_BODY_BYTES = 64
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def examine(actor: Actor, settings: Settings, randomness: Random) -> Examination:
    """Look at the settings, and at the store that they name; what is wrong is in the findings.

    Raises NotPermitted for anybody but the owner.
    """
    require_owner(actor, "examine the store", settings.owner)
    found = Examination(tuple(examine_settings(settings)))
    if isinstance(settings.store, ConfigurationError):
        return found
    try:
        store = open_storage(settings).store
    except StoreError as error:
        return found.joined([problem_of(Subject.REACH, error)])
    options = None if isinstance(settings.store, FolderSettings) else settings.store
    return found.joined(examine_store(store, randomness, options))


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """What the settings say, without asking anybody."""
    match settings.store:
        case ConfigurationError() as error:
            yield problem_of(Subject.SETTINGS, error)
        case FolderSettings(path=path) if settings.is_deployed:
            yield Finding(
                Subject.SETTINGS,
                FindingLevel.WARNING,
                f"The history is kept in the folder {path} and will be lost with this machine.",
                "Set up a bucket: see S3_SETUP_GUIDE.md.",
            )
        case FolderSettings(path=path):
            says = f"The history is kept in the folder {path}; it lives as long as that disk."
            yield Finding(Subject.SETTINGS, FindingLevel.OK, says)
        case options:
            yield _bucket_settings(options)
    if settings.is_deployed and not (settings.owner.emails or settings.owner.password_hash):
        yield Finding(
            Subject.OWNER,
            FindingLevel.WARNING,
            "Nobody can sign in as the owner.",
            sign_in_remedy(settings.owner),
        )
    if not settings.timer_minutes:
        yield Finding(
            Subject.TIMER,
            FindingLevel.WARNING,
            "The timer is off: between starts nothing is logged, fetched or backed up by itself.",
            "Set [app] timer_minutes to 5, or run `python cli.py daily` from a scheduler.",
        )


def examine_store(
    store: ObjectStore, randomness: Random, options: S3Options | None = None
) -> tuple[Finding, ...]:
    """Try all that the app does in a store, and look at how its bucket is set up.

    `options` are the bucket's, None for a folder. Leaves nothing behind that it may delete, except
    in a versioned bucket: older versions, and the delete markers that its deletions make.
    """
    return _Examiner(store, randomness, options).run()


class _Examiner:
    """One examination of a store, step by step."""

    def __init__(self, store: ObjectStore, randomness: Random, options: S3Options | None) -> None:
        self._store = store
        self._random = randomness
        self._options = options
        self._name = f"doctor-{randomness.getrandbits(64):016x}"
        self._key = f"probe/{self._name}"
        self._body = randomness.randbytes(_BODY_BYTES)
        self._refusal: AccessDenied | None = None
        self._may_be_there = False
        self._found: list[Finding] = []

    def run(self) -> tuple[Finding, ...]:
        try:
            self._list()
            self._read_nothing()
            self._ok(Subject.REACH, f"{self._store.location} answers.")
            if self._write():
                self._read_back()
                self._create_once()
                self._read_versions()
            elif self._refusal is not None:
                self._found.append(problem_of(Subject.READING, self._refusal))
            if isinstance(self._store, ConfiguredStore):
                self._look_at(self._store.bucket)
            self._delete()
        except (*_OUT_OF_REACH, StoreRejected) as error:
            # What is rejected from the first request on is so for all.
            self._found.append(problem_of(Subject.REACH, error))
            if self._may_be_there:
                # The finding says why; a small object that is left below probe/ harms nobody.
                with suppress(StoreError):
                    self._store.delete(self._key)
        if isinstance(self._store, ConfiguredStore):
            offset_seconds = self._store.clock_offset_seconds
            if offset_seconds is not None:
                self._found.append(clock_finding(offset_seconds))
        return tuple(self._found)

    # What the app does ----------------------------------------------------------------------------

    def _list(self) -> None:
        try:
            self._store.list("probe/")
        except AccessDenied as error:
            self._found.append(problem_of(Subject.LISTING, error))
        else:
            self._ok(Subject.LISTING, "The names of objects can be listed.")

    def _read_nothing(self) -> None:
        """Whether a missing object is told from one that may not be read."""
        try:
            self._store.get(self._key)
        except ObjectNotFound:
            return
        except AccessDenied as error:
            # Why, shows when something is there to be read.
            self._refusal = error
        else:
            self._problem(
                Subject.READING,
                "The store answers with an object where there is none.",
                "Check endpoint_url: perhaps something else than an object store answers.",
            )

    def _write(self) -> bool:
        self._may_be_there = True
        try:
            self._store.put(self._key, self._body, PutMode.OVERWRITE)
        except _REFUSED as error:
            self._found.append(problem_of(Subject.WRITING, error))
            return False
        self._ok(Subject.WRITING, "Objects can be written.")
        return True

    def _read_back(self) -> None:
        try:
            body = self._store.get(self._key).body
        except (*_REFUSED, ObjectNotFound) as error:
            self._found.append(problem_of(Subject.READING, error))
            return
        if body != self._body:
            self._problem(
                Subject.READING,
                "What was written comes back changed.",
                "Something between this machine and the store changes what passes, such as a "
                "proxy: go around it.",
            )
        elif self._refusal is not None:
            self._problem(
                Subject.READING,
                "Objects can be read, but a missing one is answered with a refusal: the end of "
                "the log cannot be told from a locked door.",
                "Allow s3:ListBucket on the bucket itself. If it is allowed under a condition on "
                "s3:prefix, write StringLikeIfExists in place of StringLike.",
            )
        else:
            self._ok(Subject.READING, "What was written comes back unchanged.")

    def _create_once(self) -> None:
        try:
            result = probe_store(self._store, self._random)
        except _REFUSED as error:
            self._found.append(problem_of(Subject.CREATING, error))
            return
        if result.mode is StoreMode.MULTI_WRITER:
            says = "What exists is not overwritten, not even by several writers at once."
            self._ok(Subject.CREATING, says)
        else:
            self._warning(
                Subject.CREATING,
                f"{result.findings[0]} So a log is written by one copy of the app at a time.",
                "Run one copy only, or use a store that creates only once: AWS, R2, MinIO of 2025 "
                "or later.",
            )

    def _read_versions(self) -> None:
        if not isinstance(self._store, VersionedStore):
            return
        try:
            self._store.versions(self._key)
        except AccessDenied as error:
            meaning = "Without it a damaged entry cannot be put back from an older version."
            self._found.append(warning_of(Subject.OLDER_VERSIONS, error, meaning))
        except StoreRejected as error:
            self._warning(
                Subject.OLDER_VERSIONS,
                f"The service keeps no older versions ({error.detail}): what somebody deletes or "
                "overwrites in the bucket is gone.",
                "Now and then keep a backup elsewhere: `python cli.py backups --download KEY --to "
                "FILE`.",
            )
        else:
            self._ok(Subject.OLDER_VERSIONS, "Older versions, where they are kept, can be read.")

    def _delete(self) -> None:
        """What retention deletes can be deleted; nothing is there but the probe's own object."""
        refused: dict[str, AccessDenied | StoreRejected] = {}
        for below in DELETED_BELOW:
            try:
                self._store.delete(below + self._name)
            except _REFUSED as error:
                refused[below] = error
        if refused:
            meaning = (
                f"What is old below {', '.join(refused)} stays, and is paid for; the history "
                "itself is as safe as before."
            )
            first = next(iter(refused.values()))
            self._found.append(warning_of(Subject.DELETING, first, meaning))
        else:
            self._ok(Subject.DELETING, f"Below {', '.join(DELETED_BELOW)} objects can be deleted.")

    # How the bucket is set up ---------------------------------------------------------------------

    def _look_at(self, bucket: Bucket) -> None:
        versioning = _asked(bucket.versioning)
        self._found.append(
            unknown_setting(Subject.VERSIONING, versioning)
            if isinstance(versioning, StoreError)
            else versioning_finding(versioning, bucket.prefix)
        )
        if self._options is not None:
            default = _asked(bucket.default_encryption)
            self._found.append(encryption_finding(default, self._options))
        access = _asked(bucket.public_access)
        is_public = _asked(lambda: bucket.is_public(self._key))
        self._found.append(
            unknown_setting(Subject.PUBLIC_ACCESS, is_public)
            if isinstance(is_public, StoreError)
            else public_access_finding(access, is_public=is_public)
        )
        rules = _asked(bucket.lifecycle)
        if isinstance(rules, StoreError):
            self._found.append(unknown_setting(Subject.LIFECYCLE, rules))
        else:
            known = None if isinstance(versioning, StoreError) else versioning
            self._found += lifecycle_findings(rules, bucket.prefix, known)

    def _ok(self, subject: Subject, says: str) -> None:
        self._found.append(Finding(subject, FindingLevel.OK, says))

    def _warning(self, subject: Subject, says: str, fix: str) -> None:
        self._found.append(Finding(subject, FindingLevel.WARNING, says, fix))

    def _problem(self, subject: Subject, says: str, fix: str) -> None:
        self._found.append(Finding(subject, FindingLevel.PROBLEM, says, fix))


def _asked(question: Callable[[], Answer]) -> Answer | StoreError:
    """The answer, or why there is none: that is a finding too."""
    try:
        return question()
    except StoreError as error:
        return error


def _bucket_settings(options: S3Options) -> Finding:
    prefix = options.prefix.strip("/")
    key = (
        "an access key from the secrets" if options.access_key_id else "this machine's own identity"
    )
    says = (
        f"Bucket {options.bucket}, region {options.region}, below {prefix or 'no prefix'}, with "
        f"{key}."
    )
    address = urlsplit(options.endpoint_url or "")
    if address.scheme != "http" or address.hostname in _LOOPBACK:
        return Finding(Subject.SETTINGS, FindingLevel.OK, says)
    return Finding(
        Subject.SETTINGS,
        FindingLevel.WARNING,
        f"{says} Requests are not encrypted: whoever sits in between reads and changes them.",
        "Write endpoint_url with https:// in front.",
    )
