"""What S3 can be asked about a bucket, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from replica.stores.bucket import DefaultEncryption, LifecycleRule, PublicAccess, Versioning
from replica.stores.s3_clients import make_stranger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from replica.stores.s3 import S3Options

__all__ = ["LOOKS", "Look", "S3Bucket"]

Meaning = TypeVar("Meaning")

# A service that takes no request without credentials may call it a bad one.
_REFUSALS = (400, 401, 403, 404, 405)

# Boto3's answers are nested mappings whose keys S3's documentation names.
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Look(Generic[Meaning]):
    """One question about a bucket.

    Attributes:
        operation: in words, for errors.
        method: of boto3's client.
        action: the permission that it takes.
        absent: the code with which S3 says that nothing is set; "" if it never does.
        meaning: what an answer says, {} where nothing is set.
    """

    operation: str
    method: str
    action: str
    absent: str
    meaning: Callable[[Answer], Meaning]


def _versioning(answer: Answer) -> Versioning:
    said = {"Enabled": Versioning.ON, "Suspended": Versioning.SUSPENDED}
    # A bucket that never had it says nothing.
    return said.get(str(answer.get("Status")), Versioning.OFF)


def _encryption(answer: Answer) -> DefaultEncryption | None:
    settings = answer.get("ServerSideEncryptionConfiguration") or {}
    for rule in settings.get("Rules", ()):
        default = rule.get("ApplyServerSideEncryptionByDefault") or {}
        if default.get("SSEAlgorithm"):
            return DefaultEncryption(default["SSEAlgorithm"], default.get("KMSMasterKeyID") or None)
    return None


def _public_access(answer: Answer) -> PublicAccess:
    settings = answer.get("PublicAccessBlockConfiguration") or {}
    return PublicAccess(
        refuses_acls=bool(settings.get("BlockPublicAcls")),
        ignores_acls=bool(settings.get("IgnorePublicAcls")),
        refuses_policies=bool(settings.get("BlockPublicPolicy")),
        ignores_policies=bool(settings.get("RestrictPublicBuckets")),
    )


def _lifecycle(answer: Answer) -> tuple[LifecycleRule, ...]:
    return tuple(_rules(answer))


def _rules(answer: Answer) -> Iterator[LifecycleRule]:
    for rule in answer.get("Rules", ()):
        if rule.get("Status") != "Enabled":
            continue
        chosen = rule.get("Filter") or {}
        both = chosen.get("And") or {}
        expiry = rule.get("Expiration") or {}
        old_versions = rule.get("NoncurrentVersionExpiration") or {}
        yield LifecycleRule(
            name=str(rule.get("ID") or ""),
            # The first is how rules were written before they could name tags and sizes.
            prefix=str(rule.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or ""),
            needs_tags=bool(chosen.get("Tag") or both.get("Tags")),
            # An expiration may also only remove the marks that deletions leave.
            expires="Days" in expiry or "Date" in expiry,
            moves_to=_classes(rule.get("Transitions", ())),
            old_versions_days=old_versions.get("NoncurrentDays"),
            moves_old_to=_classes(rule.get("NoncurrentVersionTransitions", ())),
        )


def _classes(moves: Iterable[Answer]) -> tuple[str, ...]:
    return tuple(str(move.get("StorageClass") or "another class") for move in moves)


_VERSIONING: Final = Look(
    "look up the versioning of",
    "get_bucket_versioning",
    "s3:GetBucketVersioning",
    "",
    _versioning,
)
_ENCRYPTION: Final = Look(
    "look up the encryption of",
    "get_bucket_encryption",
    "s3:GetEncryptionConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
    _encryption,
)
_PUBLIC_ACCESS: Final = Look(
    "look up the public access to",
    "get_public_access_block",
    "s3:GetBucketPublicAccessBlock",
    "NoSuchPublicAccessBlockConfiguration",
    _public_access,
)
_LIFECYCLE: Final = Look(
    "look up the lifecycle rules of",
    "get_bucket_lifecycle_configuration",
    "s3:GetLifecycleConfiguration",
    "NoSuchLifecycleConfiguration",
    _lifecycle,
)
LOOKS: Final = (_VERSIONING, _ENCRYPTION, _PUBLIC_ACCESS, _LIFECYCLE)
"""All that can be asked."""


class S3Bucket:
    """A `Bucket` of S3, or of a service that answers these questions of S3's."""

    def __init__(
        self,
        options: S3Options,
        prefix: str,
        ask: Callable[[str, str, Callable[[], tuple[Answer, bytes]]], tuple[Answer, bytes]],
        client_for: Callable[[str], S3Client],
    ) -> None:
        self._options = options
        self._prefix = prefix
        self._ask = ask
        self._client_for = client_for

    @property
    def prefix(self) -> str:
        """What full keys begin with: "" or what ends in a slash."""
        return self._prefix

    def versioning(self) -> Versioning:
        """Whether older versions are kept (s3:GetBucketVersioning)."""
        return self._look(_VERSIONING)

    def default_encryption(self) -> DefaultEncryption | None:
        """What happens to objects that ask for nothing (s3:GetEncryptionConfiguration)."""
        return self._look(_ENCRYPTION)

    def public_access(self) -> PublicAccess:
        """What keeps the public out (s3:GetBucketPublicAccessBlock)."""
        return self._look(_PUBLIC_ACCESS)

    def lifecycle(self) -> tuple[LifecycleRule, ...]:
        """The rules that are switched on (s3:GetLifecycleConfiguration)."""
        return self._look(_LIFECYCLE)

    def is_public(self, key: str) -> bool:
        """Whether an object that is there, or the list of all, is given out to anybody."""
        stranger, name = make_stranger(self._options), self._options.bucket

        def read() -> Answer:
            answer = stranger.get_object(Bucket=name, Key=self._prefix + key)
            with closing(answer["Body"]):
                return answer

        def names() -> Answer:
            return stranger.list_objects_v2(Bucket=name, Prefix=self._prefix, MaxKeys=1)

        return self._gives_out(key, read) or self._gives_out(key, names)

    def _gives_out(self, key: str, request: Callable[[], Answer]) -> bool:
        from botocore.exceptions import ClientError

        refused = False

        def call() -> tuple[Answer, bytes]:
            nonlocal refused
            try:
                return request(), b""
            except ClientError as error:
                answer: Answer = dict(error.response)
                refused = _status(answer) in _REFUSALS
                if not refused:
                    raise
                return answer, b""

        self._ask("ask without credentials for", key, call)
        return not refused

    def _look(self, look: Look[Meaning]) -> Meaning:
        from botocore.exceptions import ClientError

        def call() -> tuple[Answer, bytes]:
            client = self._client_for(look.operation)
            try:
                return getattr(client, look.method)(Bucket=self._options.bucket), b""
            except ClientError as error:
                answer: Answer = dict(error.response)
                if look.absent and answer.get("Error", {}).get("Code") == look.absent:
                    return answer, b""
                raise

        answer, _ = self._ask(look.operation, f"the bucket {self._options.bucket}", call)
        return look.meaning(answer)


def _status(answer: Answer) -> int:
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
