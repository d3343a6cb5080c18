"""boto3's clients for a bucket, and what must be right before one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replica.errors import InvalidCredentials, StoreRejected, WrongRegion
from replica.stores.s3_requests import tell_requests

if TYPE_CHECKING:
    from boto3.session import Session
    from mypy_boto3_s3 import S3Client

    from replica.stores.s3 import S3Options

__all__ = ["check_options", "make_clients", "make_signer", "make_stranger"]

_ENCRYPTIONS = (None, "AES256", "aws:kms", "none")


def check_options(options: S3Options, operation: str, key: str) -> None:
    """Refuse settings with which no request could succeed, each with its remedy.

    Raises WrongRegion, InvalidCredentials or StoreRejected for ``operation`` on ``key``.
    """
    if not options.region:
        raise WrongRegion(
            operation, key, "Set region, such as eu-central-1.", "no region is configured"
        )
    pair = (options.access_key_id, options.secret_access_key)
    if pair != (None, None) and not all(pair):
        raise InvalidCredentials(
            operation,
            key,
            "Give both access_key_id and secret_access_key, or neither.",
            "half of the key pair is missing",
        )
    if options.session_token is not None and pair == (None, None):
        raise InvalidCredentials(
            operation,
            key,
            "Give access_key_id and secret_access_key with it.",
            "a session_token alone is no credential",
        )
    for name in ("access_key_id", "secret_access_key", "session_token"):
        value = getattr(options, name)
        # Such a character would break the request's headers, and the error would quote them.
        if value and not (value.isascii() and value.isprintable() and " " not in value):
            raise InvalidCredentials(
                operation,
                key,
                f"Copy {name} again, without spaces, quotes or line breaks around it.",
                f"{name} holds a character that no key has",
            )
    if options.endpoint_url is not None and "@" in options.endpoint_url:
        raise StoreRejected(
            operation,
            key,
            "Take user name and password out of endpoint_url; use access_key_id and "
            "secret_access_key.",
            "endpoint_url holds a credential",
        )
    if options.encryption not in _ENCRYPTIONS:
        raise StoreRejected(
            operation,
            key,
            'Set encryption to "AES256", "aws:kms" or "none".',
            f"encryption {options.encryption!r} is not known",
        )
    if options.kms_key_id and options.encryption not in (None, "aws:kms"):
        raise StoreRejected(
            operation,
            key,
            'Leave out kms_key_id, or set encryption to "aws:kms".',
            f"encryption {options.encryption!r} uses no KMS key",
        )
    if options.encryption == "none" and options.is_aws:
        raise StoreRejected(
            operation,
            key,
            'Leave encryption out: "none" is for other services than AWS, with an endpoint_url.',
            "AWS always encrypts",
        )


# With fewer than there are threads asking, connections are thrown away and made anew.
_CONNECTIONS = 32


def make_clients(options: S3Options) -> tuple[S3Client, S3Client]:
    """A patient client that repeats failed requests, and one that sends each exactly once."""
    from botocore.handlers import add_expect_header

    session = _session(options)

    def client(attempts: int) -> S3Client:
        made = _client(session, options, attempts)
        # "Expect: 100-continue" costs every put a round trip, to spare the body of one that is
        # refused; most bodies here are a kilobyte.
        made.meta.events.unregister("before-call.s3", add_expect_header)
        return made

    return client(options.read_attempts), client(1)


def make_signer(options: S3Options) -> tuple[S3Client, Session]:
    """A client for signing addresses, and the session whose credentials it signs with."""
    session = _session(options)
    config: dict[str, Any] = {
        # The older way of signing is boto3's own choice for links in some regions; newer regions
        # and keys of one's own refuse it.
        "signature_version": "s3v4",
        # What a link's reader does about checksums is the reader's.
        "response_checksum_validation": "when_required",
    }
    if options.is_aws:
        # boto3 would name the host of all regions. That one sends a reader on to the bucket's own
        # region, where the signature, which names the host, does not hold.
        config["s3"] = {"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
    return _client(session, options, 1, **config), session


def make_stranger(options: S3Options) -> S3Client:
    """A client that shows no credentials, as anybody's browser would ask."""
    import boto3
    from botocore import UNSIGNED

    session = boto3.session.Session(region_name=options.region)
    return _client(session, options, options.read_attempts, signature_version=UNSIGNED)


def _session(options: S3Options) -> Session:
    import boto3

    return boto3.session.Session(
        aws_access_key_id=options.access_key_id,
        aws_secret_access_key=options.secret_access_key,
        aws_session_token=options.session_token,
        region_name=options.region,
    )


def _client(session: Session, options: S3Options, attempts: int, **config: Any) -> S3Client:
    from botocore.config import Config

    settings: dict[str, Any] = {
        "retries": {"mode": "standard", "total_max_attempts": attempts},
        "connect_timeout": options.connect_timeout_seconds,
        "read_timeout": options.read_timeout_seconds,
        "max_pool_connections": _CONNECTIONS,
    }
    if not options.is_aws:
        settings |= {
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "s3": {"addressing_style": "path"},
        }
    made = session.client(
        "s3", endpoint_url=options.endpoint_url, config=Config(**(settings | config))
    )
    made.meta.events.register_last("before-parameter-build.s3", _stay_in_the_region)
    if options.on_request is not None:
        tell_requests(made, options.on_request)
    return made


def _stay_in_the_region(context: dict[str, Any], **_: Any) -> None:
    """Keeps boto3 from following a bucket into another region.

    It would send the request a second time, and every request of every new process twice; the
    owner is told the right region instead.
    """
    context.get("s3_redirect", {})["redirected"] = True
