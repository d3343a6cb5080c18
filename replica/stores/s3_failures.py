"""What boto3 and S3's many dialects raise, as the engine's own errors with a remedy.

The codes are those of AWS's list of S3 error responses, with the ones that R2 and MinIO add.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from replica.errors import (
    AccessDenied,
    BucketMissing,
    ClockSkewed,
    InvalidCredentials,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreRejected,
    StoreThrottled,
    StoreUnreachable,
    WrongRegion,
)
from replica.stores.s3_bucket import LOOKS
from replica.stores.s3_remedies import (
    credential_remedy,
    kms_key,
    network_remedy,
    permission_remedy,
)

if TYPE_CHECKING:
    from replica.stores.s3 import S3Options

__all__ = ["FAILURES", "Asked", "headers_of", "store_error"]

# ValueError is how boto3 refuses an endpoint that is no address; OSError and urllib3's own
# HTTPError can surface while a body is being read.
FAILURES = (
    boto.ClientError,
    boto.BotoCoreError,
    ResponseParserError,
    HTTPError,
    OSError,
    ValueError,
)

_ACTIONS = {
    "get": "s3:GetObject",
    "put": "s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
    "list the versions of": "s3:ListBucketVersions",
    "get a version of": "s3:GetObjectVersion",
    **{look.operation: look.action for look in LOOKS},
}

_CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingSecurityHeader",
        "NotSignedUp",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "Unauthorized",
        "UnrecognizedClientException",
    }
)
_REGION_CODES = frozenset(
    {
        "301",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "InvalidRegion",
        "InvalidRegionName",
        "PermanentRedirect",
    }
)
_CLOCK_CODES = frozenset({"ExpiredRequest", "RequestExpired", "RequestTimeTooSkewed"})
_THROTTLE_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ConditionalRequestConflict",
        "ConcurrentModification",
        "KMS.ThrottlingException",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
    }
)
# The bytes were cut or changed on their way up, or the bucket's new address is not known yet.
_TRANSIENT_CODES = frozenset(
    {
        "BadDigest",
        "IncompleteBody",
        "RequestTimeout",
        "RequestTimeoutException",
        "TemporaryRedirect",
        "XAmzContentSHA256Mismatch",
    }
)
_FULL_CODES = frozenset(
    {
        "InsufficientCapacity",
        "InsufficientStorage",
        "QuotaExceeded",
        "StorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }
)
_NO_CREDENTIALS = (
    boto.ConfigNotFound,
    boto.ConfigParseError,
    boto.CredentialRetrievalError,
    boto.InvalidConfigError,
    boto.LoginError,
    boto.MetadataRetrievalError,
    boto.MissingDependencyException,
    boto.NoAuthTokenError,
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.RefreshWithMFAUnsupportedError,
    boto.SSOError,
    boto.TokenRetrievalError,
    boto.UnknownCredentialError,
)
_CUT_SHORT = (
    boto.ChecksumError,
    boto.FlexibleChecksumError,
    boto.IncompleteReadError,
    boto.ResponseStreamingError,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that failed, as far as its error needs it."""

    operation: str
    key: str
    creating: bool
    options: S3Options
    clock_offset_seconds: float | None


def headers_of(error: Exception) -> Mapping[str, str]:
    """The headers of the answer that an error came with, names in lower case; empty without."""
    if isinstance(error, boto.ClientError):
        return dict(error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}))
    return {}


def store_error(error: Exception, asked: Asked) -> StoreError:
    """The engine's error for any of FAILURES. Holds no credential."""
    if isinstance(error, boto.ClientError):
        return _refusal(error, asked)
    operation, key = asked.operation, asked.key
    if isinstance(error, _NO_CREDENTIALS):
        return InvalidCredentials(
            operation,
            key,
            "Give access_key_id and secret_access_key, or set up AWS's own credentials for this "
            "machine (environment, profile or role).",
            f"no usable credentials were found: {type(error).__name__}",
        )
    if isinstance(error, boto.NoRegionError | boto.InvalidRegionError | boto.UnknownRegionError):
        return WrongRegion(
            operation,
            key,
            "Write the region as AWS does, such as eu-central-1.",
            f"{asked.options.region!r} is not a region's name",
        )
    if isinstance(error, _CUT_SHORT):
        return StoreUnreachable(
            operation, key, detail=f"the answer was cut short: {type(error).__name__}"
        )
    if isinstance(error, ResponseParserError):
        return StoreUnreachable(
            operation,
            key,
            "It is tried again by itself; if it stays, check endpoint_url: perhaps something else "
            "than an object store answers there.",
            "the answer was cut short or does not come from an object store",
        )
    if isinstance(error, boto.SSLError):
        return StoreUnreachable(
            operation,
            key,
            "Check endpoint_url (https or http, host name), this machine's clock and its "
            "certificates.",
            "no secure connection could be made",
        )
    if isinstance(error, boto.ConnectionError | boto.HTTPClientError | HTTPError | OSError):
        return StoreUnreachable(operation, key, network_remedy(asked), type(error).__name__)
    if isinstance(error, boto.ParamValidationError):
        return StoreRejected(
            operation,
            key,
            "Write only the bucket's name: letters, digits, dots and hyphens, without s3:// and "
            "without a folder.",
            f"{asked.options.bucket!r} is not a bucket's name",
        )
    return StoreRejected(
        operation,
        key,
        "Check bucket, region and endpoint_url; an endpoint_url begins with https:// or http://.",
        f"boto3 cannot make the request or read the answer: {type(error).__name__}",
    )


def _refusal(error: boto.ClientError, asked: Asked) -> StoreError:
    answer = error.response
    code = str(answer.get("Error", {}).get("Code") or "")
    message = str(answer.get("Error", {}).get("Message") or "")
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    operation, key = asked.operation, asked.key
    said = f"{code or 'no code'}, HTTP {status}"

    if asked.creating and status in (409, 412):
        return ObjectExists(operation, key, detail=said)
    # A write cannot miss an object, a listing neither.
    if code in ("NoSuchKey", "NoSuchVersion") and operation not in ("put", "list"):
        return ObjectNotFound(operation, key, detail=said)
    if code == "NoSuchBucket":
        return BucketMissing(
            operation,
            key,
            f"Create the bucket {asked.options.bucket}, or correct bucket_name and endpoint_url.",
            said,
        )
    if code in _CLOCK_CODES:
        return ClockSkewed(operation, key, detail=_clock_detail(asked, said))
    right_region = _right_region(error)
    if (code in _REGION_CODES and code != "AuthorizationHeaderMalformed") or (
        code == "AuthorizationHeaderMalformed" and (right_region or "region" in message)
    ):
        return _wrong_region(asked, right_region, said)
    if (
        code in _CREDENTIAL_CODES
        or code == "AuthorizationHeaderMalformed"
        # R2's words for an access key of the wrong length.
        or (code == "InvalidArgument" and message.startswith("Credential"))
        or status == 401
    ):
        return InvalidCredentials(operation, key, credential_remedy(code, asked), said)
    if code in _THROTTLE_CODES or status in (429, 503):
        return StoreThrottled(operation, key, detail=said)
    if code in _TRANSIENT_CODES or status == 307:
        return StoreUnreachable(operation, key, detail=said)
    if code in _FULL_CODES or status == 507:
        return StoreRejected(operation, key, "Free space in the store or raise its quota.", said)
    if code == "InvalidObjectState":
        return StoreRejected(
            operation,
            key,
            "The object lies in an archive class: restore it in the bucket's console and remove "
            "the lifecycle rule that moves objects there.",
            said,
        )
    if code.startswith("KMS."):
        return StoreRejected(
            operation,
            key,
            f"Enable the KMS key {kms_key(asked)} or configure another one.",
            _scrubbed(f"{said}: {message}", asked.options),
        )
    if status == 403:
        return _denied(asked, message, said)
    if operation == "put" and ("ncryption" in message or "KMS" in message):
        return StoreRejected(
            operation,
            key,
            'Check kms_key_id. If the store cannot encrypt on request, set encryption to "none".',
            _scrubbed(f"{said}: {message}", asked.options),
        )
    if status == 501:
        missing = "conditional writes (If-None-Match)" if operation == "put" else "this request"
        return StoreRejected(
            operation,
            key,
            f"Use a store that supports {missing}.",
            _scrubbed(f"{said}: {message}", asked.options),
        )
    if status >= 500:
        return StoreUnreachable(operation, key, detail=f"the store failed: {said}")
    return StoreRejected(operation, key, detail=_scrubbed(f"{said}: {message}", asked.options))


def _clock_detail(asked: Asked, said: str) -> str:
    offset = asked.clock_offset_seconds
    if offset is None:
        return said
    direction = "behind" if offset > 0 else "ahead of"
    return f"this clock is {abs(offset):.0f} s {direction} the store's; {said}"


def _right_region(error: boto.ClientError) -> str | None:
    stated = headers_of(error).get("x-amz-bucket-region")
    details: Mapping[str, object] = {**error.response.get("Error", {})}
    region = stated or details.get("Region")
    return str(region) if region and re.fullmatch(r"[a-z0-9-]{1,40}", str(region)) else None


def _wrong_region(asked: Asked, right_region: str | None, said: str) -> WrongRegion:
    remedy = (
        f'Set region to "{right_region}" in the configuration.'
        if right_region
        else "Look up the bucket's region in its console and set region to it."
    )
    detail = f"region {asked.options.region!r} is configured; {said}"
    return WrongRegion(asked.operation, asked.key, remedy, detail)


def _denied(asked: Asked, message: str, said: str) -> AccessDenied:
    # AWS names the action that it missed, which can be one of KMS's.
    named = re.search(r"to perform: ([a-z0-9-]+:[A-Za-z]+)", message)
    action = named.group(1) if named else _ACTIONS[asked.operation]
    return AccessDenied(
        asked.operation, asked.key, action, permission_remedy(asked, action), f"{action}; {said}"
    )


def _scrubbed(text: str, options: S3Options) -> str:
    """At most 200 characters of a store's own words, without anything that is a credential."""
    for secret in (options.secret_access_key, options.session_token, options.access_key_id):
        if secret and len(secret) >= 8:
            text = text.replace(secret, "…")
    return " ".join(text.split())[:200]
