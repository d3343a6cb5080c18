"""What goes wrong between the app and a bucket: the right type, the right remedy, no secret."""

from __future__ import annotations

import logging
import pickle
import socket
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ProtocolError

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
from replica.store import PutMode
from replica.stores.s3 import S3Options, S3Store
from tests.servers import ErrorServer, Reply, empty_listing, free_port, s3_error, s3_options, stored

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")

Verb = Callable[[S3Store], object]
VERBS: dict[str, Verb] = {
    "get": lambda store: store.get("snapshots/1"),
    "create": lambda store: store.put("snapshots/1", b"body", PutMode.CREATE),
    "overwrite": lambda store: store.put("snapshots/1", b"body", PutMode.OVERWRITE),
    "list": lambda store: store.list("snapshots/"),
}
READING = ("get", "list")
REPEATED = ("get", "list", "overwrite")

# The pair that AWS prints in its own documentation; it opens nothing.
ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaDExample"


@pytest.fixture(params=VERBS)
def verb(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before repeated requests, which are noted instead of waited for."""
    pauses: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=pauses.append))
    return pauses


def store_at(url: str | None, **changes: object) -> S3Store:
    settings: dict[str, Any] = {
        "endpoint_url": url,
        "bucket": "the-bucket",
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET,
        "session_token": TOKEN,
        "connect_timeout_seconds": 2,
        "read_timeout_seconds": 5,
    }
    return S3Store(s3_options(**(settings | changes)))


def failure(verb: str, *replies: Reply, **changes: object) -> tuple[StoreError, int]:
    """The error that a verb raises when the store answers so, and the number of requests sent."""
    with ErrorServer(*replies) as server:
        with pytest.raises(StoreError) as caught:
            VERBS[verb](store_at(server.url, **changes))
        return caught.value, len(server.received)


def operation_of(verb: str) -> str:
    return "put" if verb in ("create", "overwrite") else verb


@pytest.mark.parametrize(
    ("reply", "kind", "remedy"),
    [
        (s3_error(403, "AccessDenied"), AccessDenied, "Allow s3:"),
        (s3_error(403, "AllAccessDisabled"), AccessDenied, "Allow s3:"),
        (s3_error(403, "InvalidAccessKeyId"), InvalidCredentials, "access_key_id"),
        (s3_error(403, "SignatureDoesNotMatch"), InvalidCredentials, "secret_access_key"),
        (s3_error(400, "ExpiredToken"), InvalidCredentials, "Renew"),
        (s3_error(400, "InvalidToken"), InvalidCredentials, "session_token"),
        (s3_error(401, "Unauthorized"), InvalidCredentials, "access_key_id"),
        (
            s3_error(400, "InvalidArgument", "Credential access key has length 20, should be 32"),
            InvalidCredentials,
            "access_key_id",
        ),
        (
            s3_error(400, "AuthorizationHeaderMalformed", "the Credential is mal-formed"),
            InvalidCredentials,
            "access_key_id",
        ),
        (
            s3_error(
                400,
                "AuthorizationHeaderMalformed",
                "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
                details={"Region": "eu-west-1"},
            ),
            WrongRegion,
            '"eu-west-1"',
        ),
        (
            s3_error(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
            WrongRegion,
            '"eu-west-1"',
        ),
        (s3_error(301, "PermanentRedirect"), WrongRegion, "Look up"),
        (s3_error(400, "IllegalLocationConstraintException"), WrongRegion, "region"),
        (s3_error(400, "InvalidRegionName"), WrongRegion, "region"),
        (s3_error(403, "RequestTimeTooSkewed"), ClockSkewed, "clock"),
        (s3_error(404, "NoSuchBucket"), BucketMissing, "the-bucket"),
        (s3_error(503, "SlowDown"), StoreThrottled, "tried again"),
        (s3_error(503, "ServiceUnavailable"), StoreThrottled, "tried again"),
        (s3_error(429, "TooManyRequests"), StoreThrottled, "tried again"),
        (s3_error(400, "RequestLimitExceeded"), StoreThrottled, "tried again"),
        (s3_error(500, "InternalError"), StoreUnreachable, "tried again"),
        (Reply(502, b"<html>bad gateway</html>"), StoreUnreachable, "tried again"),
        (Reply(504), StoreUnreachable, "tried again"),
        (s3_error(400, "RequestTimeout"), StoreUnreachable, "tried again"),
        (s3_error(307, "TemporaryRedirect"), StoreUnreachable, "tried again"),
        (s3_error(403, "QuotaExceeded"), StoreRejected, "quota"),
        (s3_error(400, "QuotaExceeded"), StoreRejected, "quota"),
        (s3_error(507, "InsufficientStorage"), StoreRejected, "quota"),
        (s3_error(403, "InvalidObjectState"), StoreRejected, "archive"),
        (s3_error(400, "KMS.DisabledException"), StoreRejected, "KMS key"),
        (s3_error(400, "KMS.ThrottlingException"), StoreThrottled, "tried again"),
        (s3_error(400, "SomethingNew"), StoreRejected, "own words"),
        (Reply(drop=True), StoreUnreachable, "endpoint_url"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_an_answer_becomes_a_type_and_a_remedy(
    verb: str, reply: Reply, kind: type[StoreError], remedy: str
) -> None:
    error, _ = failure(verb, reply)
    assert type(error) is kind
    assert error.operation == operation_of(verb)
    assert error.key.endswith("snapshots/1") or error.key.endswith("predictions/snapshots/")
    assert remedy in error.remedy
    assert error.remedy in str(error)


ACTIONS = {
    "get": "s3:GetObject",
    "create": "s3:PutObject",
    "overwrite": "s3:PutObject",
    "list": "s3:ListBucket",
}


def test_a_missing_permission_is_named(verb: str) -> None:
    error, _ = failure(verb, s3_error(403, "AccessDenied"))
    assert isinstance(error, AccessDenied)
    assert error.action == ACTIONS[verb]
    assert error.action in error.remedy
    assert "the-bucket" in error.remedy


def test_a_refused_read_is_never_taken_for_a_missing_object() -> None:
    error, _ = failure("get", s3_error(403, "AccessDenied"))
    assert not isinstance(error, ObjectNotFound)
    assert "without s3:ListBucket a missing object" in error.remedy


@pytest.mark.parametrize(
    ("verb", "action"),
    [
        ("get", "s3:ListBucket"),
        ("get", "kms:Decrypt"),
        ("create", "kms:GenerateDataKey"),
        ("overwrite", "kms:GenerateDataKey"),
    ],
)
def test_the_permission_that_the_store_names_is_believed(verb: str, action: str) -> None:
    message = (
        f"User: arn:aws:iam::000000000000:user/app is not authorized to perform: {action} on "
        "resource: x because no identity-based policy allows it"
    )
    error, _ = failure(verb, s3_error(403, "AccessDenied", message))
    assert isinstance(error, AccessDenied)
    assert error.action == action
    assert f"Allow {action}" in error.remedy or f"and {action}" in error.remedy
    assert "000000000000" not in str(error)


@pytest.mark.parametrize(
    ("verb", "action"), [("get", "kms:Decrypt"), ("create", "kms:GenerateDataKey")]
)
def test_with_a_kms_key_its_permission_is_mentioned(verb: str, action: str) -> None:
    plain, _ = failure(verb, s3_error(403, "AccessDenied"))
    with_key, _ = failure(verb, s3_error(403, "AccessDenied"), kms_key_id="the-kms-key")
    assert "kms:" not in plain.remedy
    assert action in with_key.remedy
    assert "the-kms-key" in with_key.remedy


def test_only_the_stores_own_word_means_that_an_object_is_missing() -> None:
    missing, _ = failure("get", s3_error(404, "NoSuchKey"))
    assert isinstance(missing, ObjectNotFound)
    for reply in (
        Reply(404, b"<html><body>Not Found</body></html>", {"Content-Type": "text/html"}),
        Reply(404, b"nothing here"),
        Reply(404),
        s3_error(404, "NoSuchBucket"),
        s3_error(403, "NoSuchThing"),
    ):
        error, _ = failure("get", reply)
        assert not isinstance(error, ObjectNotFound)


@pytest.mark.parametrize(
    "reply",
    [
        s3_error(412, "PreconditionFailed"),
        s3_error(409, "ConditionalRequestConflict"),
        s3_error(409, "ConcurrentModification"),
        s3_error(409, "OperationAborted"),
    ],
)
def test_a_lost_race_says_that_the_object_exists(reply: Reply) -> None:
    error, requests = failure("create", reply)
    assert type(error) is ObjectExists
    assert requests == 1
    error, _ = failure("overwrite", reply)
    assert type(error) in (StoreThrottled, StoreRejected)


AMBIGUOUS = {
    "connection dropped": Reply(drop=True),
    "server error": s3_error(500, "InternalError"),
    "bad gateway": Reply(502),
    "slow down": s3_error(503, "SlowDown"),
    "moved": s3_error(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
    "timed out": s3_error(400, "RequestTimeout"),
}


@pytest.mark.parametrize("reply", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_create_is_sent_once_whatever_happens(reply: Reply, no_waiting: list[float]) -> None:
    error, requests = failure("create", reply)
    assert not isinstance(error, ObjectExists)
    assert requests == 1
    assert no_waiting == []


@pytest.mark.parametrize("verb", REPEATED)
@pytest.mark.parametrize("attempts", [4, 2, 1])
def test_other_requests_are_repeated_with_pauses(
    verb: str, attempts: int, no_waiting: list[float]
) -> None:
    error, requests = failure(verb, s3_error(503, "SlowDown"), read_attempts=attempts)
    assert type(error) is StoreThrottled
    assert requests == attempts
    assert len(no_waiting) == attempts - 1


def test_four_attempts_are_the_rule() -> None:
    assert S3Options("bucket", "us-east-1").read_attempts == 4


def test_a_read_survives_three_failures() -> None:
    trouble = s3_error(500, "InternalError")
    good = Reply(body=b"content", headers={"Last-Modified": "Fri, 20 Nov 2026 18:00:00 GMT"})
    with ErrorServer(trouble, Reply(drop=True), s3_error(503, "SlowDown"), good) as server:
        found = store_at(server.url).get("snapshots/1")
    assert found.body == b"content"
    assert found.info.modified_at == datetime(2026, 11, 20, 18, tzinfo=UTC)


@pytest.mark.parametrize("status", [301, 400])
def test_a_request_does_not_follow_the_bucket_into_another_region(verb: str, status: int) -> None:
    code = "PermanentRedirect" if status == 301 else "AuthorizationHeaderMalformed"
    reply = s3_error(status, code, details={"Region": "eu-west-1"})
    error, requests = failure(verb, reply)
    assert type(error) is WrongRegion
    assert "'us-east-1' is configured" in str(error)
    assert requests == 1


def test_a_region_is_only_named_if_it_looks_like_one() -> None:
    reply = s3_error(301, "PermanentRedirect", headers={"x-amz-bucket-region": "<b>here</b>"})
    error, _ = failure("get", reply)
    assert "<b>" not in str(error)


def test_a_server_that_never_answers(verb: str) -> None:
    error, _ = failure(verb, Reply(hang=True), read_timeout_seconds=0.2, read_attempts=1)
    assert type(error) is StoreUnreachable
    assert "ReadTimeoutError" in str(error)


def test_a_server_that_is_not_there(verb: str) -> None:
    with pytest.raises(StoreUnreachable) as caught:
        VERBS[verb](store_at(f"http://127.0.0.1:{free_port()}"))
    assert "network" in caught.value.remedy


def test_a_region_that_does_not_exist_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown_host(host: str, *_: object, **__: object) -> NoReturn:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    asked: list[str] = []
    monkeypatch.setattr(socket, "getaddrinfo", unknown_host)
    store = S3Store(
        S3Options("bucket", "eu-nowhere-9", access_key_id="a", secret_access_key="b"),
    )
    with pytest.raises(StoreUnreachable) as caught:
        store.get("a")
    assert "eu-nowhere-9" in caught.value.remedy
    assert asked[0] == "bucket.s3.eu-nowhere-9.amazonaws.com"


def test_http_where_https_was_said(verb: str) -> None:
    with ErrorServer(Reply()) as server:
        store = store_at(server.url.replace("http://", "https://"), read_attempts=1)
        with pytest.raises(StoreUnreachable) as caught:
            VERBS[verb](store)
    assert "https or http" in caught.value.remedy


WHOLE = empty_listing("the-bucket").body


@pytest.mark.parametrize(
    "body",
    [b"", WHOLE[:-40], WHOLE[:100], b"<html><body>Sign in to the network</body></html>", b"{}"],
    ids=["empty", "cut", "cut early", "another page", "not XML"],
)
def test_half_a_listing_is_not_an_empty_store(body: bytes) -> None:
    error, _ = failure("list", Reply(200, body, declared_size_bytes=len(WHOLE)))
    assert type(error) is StoreUnreachable
    error, _ = failure("list", Reply(200, body))
    assert type(error) is StoreUnreachable


def test_a_whole_listing_of_nothing_is_an_empty_store() -> None:
    with ErrorServer(empty_listing("the-bucket")) as server:
        assert store_at(server.url).list("") == []


@pytest.mark.parametrize("token", ["", "<NextContinuationToken>x</NextContinuationToken>"])
def test_a_listing_without_an_end_is_refused(token: str) -> None:
    truncated = WHOLE.replace(
        b"<IsTruncated>false</IsTruncated>", f"<IsTruncated>true</IsTruncated>{token}".encode()
    )
    error, requests = failure("list", Reply(200, truncated))
    assert type(error) is StoreRejected
    assert requests == (2 if token else 1)


@pytest.mark.parametrize("sent", [b"", b"half of it"], ids=["nothing", "half"])
def test_a_truncated_download_is_an_error(sent: bytes) -> None:
    headers = {"Last-Modified": "Fri, 20 Nov 2026 18:00:00 GMT"}
    error, _ = failure("get", Reply(200, sent, headers, declared_size_bytes=20))
    assert type(error) is StoreUnreachable
    assert "cut short" in str(error)


@pytest.mark.parametrize("verb", ["get", "create", "overwrite"])
def test_a_page_that_answers_everything_is_not_a_store(verb: str) -> None:
    page = Reply(200, b"<html>Sign in to the network</html>", {"Content-Type": "text/html"})
    error, _ = failure(verb, page)
    assert type(error) is StoreUnreachable
    assert "not come from an object store" in str(error)


def test_an_entry_without_a_size_is_not_listed() -> None:
    entry = b"<Contents><Key>predictions/snapshots/1</Key></Contents></ListBucketResult>"
    error, _ = failure("list", Reply(200, WHOLE.replace(b"</ListBucketResult>", entry)))
    assert type(error) is StoreUnreachable


@pytest.mark.parametrize("hours", [-24, -1, 1, 24])
def test_a_skewed_clock_is_measured(verb: str, hours: int) -> None:
    store_time = datetime.now(UTC) + timedelta(hours=hours)
    date = store_time.strftime("%a, %d %b %Y %H:%M:%S GMT")
    refusal = s3_error(403, "RequestTimeTooSkewed", headers={"Date": date}, send_date=False)
    with ErrorServer(refusal) as server:
        store = store_at(server.url)
        with pytest.raises(ClockSkewed) as caught:
            VERBS[verb](store)
    assert store.clock_offset_seconds == pytest.approx(hours * 3600, abs=10)
    assert f"s {'behind' if hours > 0 else 'ahead of'} the store's" in caught.value.detail


def test_a_skew_without_a_date_is_still_named() -> None:
    error, _ = failure("get", s3_error(403, "RequestTimeTooSkewed", send_date=False))
    assert type(error) is ClockSkewed


@pytest.mark.parametrize("verb", ["create", "overwrite"])
@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (
            s3_error(
                501,
                "NotImplemented",
                "Server side encryption specified but KMS is not configured",
            ),
            '"none"',
        ),
        (s3_error(501, "NotImplemented", "A header you provided is unknown"), "If-None-Match"),
        (s3_error(400, "InvalidArgument", "Invalid KMS key ARN"), "kms_key_id"),
    ],
)
def test_what_a_service_cannot_do_is_explained(verb: str, reply: Reply, remedy: str) -> None:
    error, _ = failure(verb, reply)
    assert type(error) is StoreRejected
    assert remedy in error.remedy
    assert "NotImplemented" in str(error) or "InvalidArgument" in str(error)


def test_a_machine_without_credentials(verb: str) -> None:
    error, requests = failure(
        verb,
        empty_listing("the-bucket"),
        access_key_id=None,
        secret_access_key=None,
        session_token=None,
    )
    assert type(error) is InvalidCredentials
    assert "access_key_id" in error.remedy
    assert requests == 0


@pytest.mark.parametrize(
    "environment",
    [{"AWS_ACCESS_KEY_ID": "only-half"}, {"AWS_PROFILE": "nobody-made-this"}],
    ids=["half a pair", "no such profile"],
)
def test_a_machine_with_broken_credentials(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    error, requests = failure(
        "list", Reply(), access_key_id=None, secret_access_key=None, session_token=None
    )
    assert type(error) is InvalidCredentials
    assert requests == 0


def test_the_credentials_of_the_machine_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    nothing = dict.fromkeys(("access_key_id", "secret_access_key", "session_token"))
    with ErrorServer(empty_listing("the-bucket")) as server:
        assert store_at(server.url, **nothing).list("") == []
        assert "AKIAFROMENVIRONMENT" in server.received[0].headers["authorization"]
    error, _ = failure("list", s3_error(403, "InvalidAccessKeyId"), **nothing)
    assert "credentials of this machine" in error.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"access_key_id": None},
        {"secret_access_key": None},
        {"access_key_id": ""},
        {"access_key_id": "", "secret_access_key": "", "session_token": None},
        {"access_key_id": None, "secret_access_key": None},
        {"access_key_id": ACCESS_KEY_ID + "\n"},
        {"secret_access_key": f'"{SECRET[:10]} "'},
        {"secret_access_key": SECRET + "é"},
        {"session_token": TOKEN + "\r\nX-Injected: 1"},
    ],
    ids=[
        "no key id",
        "no secret",
        "empty key id",
        "both empty",
        "a token alone",
        "a line break",
        "quotes and a space",
        "an accent",
        "a header in the token",
    ],
)
def test_half_or_garbled_credentials_send_nothing(
    verb: str, changes: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFROMENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "must not be used instead")
    error, requests = failure(verb, empty_listing("the-bucket"), **changes)
    assert type(error) is InvalidCredentials
    assert requests == 0
    for value in (SECRET[:10], TOKEN, ACCESS_KEY_ID):
        assert value not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("bucket", ["", "s3://the-bucket", "the-bucket/folder", "the bucket", "é"])
def test_a_name_that_no_bucket_can_have(verb: str, bucket: str) -> None:
    error, requests = failure(verb, Reply(), bucket=bucket)
    assert type(error) is StoreRejected
    assert "bucket's name" in error.remedy
    assert requests == 0


@pytest.mark.parametrize("region", ["", "us east 1", "Frankfurt!"])
def test_a_region_that_is_no_region(verb: str, region: str) -> None:
    with pytest.raises(WrongRegion) as caught:
        VERBS[verb](S3Store(S3Options("bucket", region, "access", "secret")))
    assert "eu-central-1" in caught.value.remedy


@pytest.mark.parametrize(
    "endpoint_url", ["not an address", "minio.example:9000", "http://", "http://host:port", "//a"]
)
def test_an_endpoint_that_is_no_address(verb: str, endpoint_url: str) -> None:
    with pytest.raises(StoreError) as caught:
        VERBS[verb](store_at(endpoint_url))
    assert type(caught.value) is StoreRejected
    assert "endpoint_url" in caught.value.remedy


def test_an_endpoint_must_not_carry_a_password(verb: str) -> None:
    password = "hunter" + "22"
    with pytest.raises(StoreRejected) as caught:
        VERBS[verb](store_at(f"https://user:{password}@minio.example"))
    assert password not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"encryption": "rot13"}, "AES256"),
        ({"encryption": "none", "kms_key_id": "key"}, "kms_key_id"),
        ({"encryption": "AES256", "kms_key_id": "key"}, "kms_key_id"),
        ({"encryption": "none", "endpoint_url": None}, "endpoint_url"),
        ({"encryption": "none", "endpoint_url": "https://s3.amazonaws.com"}, "endpoint_url"),
    ],
    ids=str,
)
def test_contradictions_about_encryption_send_nothing(
    changes: dict[str, str | None], remedy: str
) -> None:
    with ErrorServer(Reply()) as server:
        store = store_at(server.url, **changes)
        with pytest.raises(StoreRejected) as caught:
            store.put("a", b"1", PutMode.CREATE)
        assert server.received == []
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "reply",
    [
        s3_error(403, "AccessDenied", f"{ACCESS_KEY_ID} {SECRET} {TOKEN}"),
        s3_error(403, "SignatureDoesNotMatch", details={"AWSAccessKeyId": ACCESS_KEY_ID}),
        s3_error(400, "SomethingNew", f"you sent {ACCESS_KEY_ID} with {SECRET} and {TOKEN}"),
        s3_error(400, "KMS.DisabledException", f"{TOKEN} {SECRET}"),
        s3_error(501, "NotImplemented", f"{TOKEN} {SECRET}"),
        s3_error(500, "InternalError", SECRET),
        Reply(200, SECRET.encode()),
        Reply(404, f"{SECRET} {TOKEN}".encode()),
        Reply(drop=True),
    ],
    ids=[
        "refused",
        "wrong signature",
        "unknown code",
        "KMS",
        "not implemented",
        "server error",
        "another page",
        "missing page",
        "dropped",
    ],
)
def test_no_error_and_no_log_line_holds_a_secret(
    verb: str, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with ErrorServer(reply) as server:
        try:
            VERBS[verb](store_at(server.url, read_attempts=1))
        except StoreError as error:
            shown = [str(error), repr(error), repr(error.args), repr(vars(error)), caplog.text]
        else:
            shown = [caplog.text]
    for text in shown:
        for secret in (SECRET, TOKEN, ACCESS_KEY_ID):
            assert secret not in text


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.FlexibleChecksumError(error_msg="CRC32 differs"), StoreUnreachable),
        (boto.ResponseStreamingError(error="reset"), StoreUnreachable),
        (ResponseParserError(f"Unable to parse <a>{SECRET}</a>"), StoreUnreachable),
        (boto.ProxyConnectionError(proxy_url="http://proxy"), StoreUnreachable),
        (ProtocolError("connection broken"), StoreUnreachable),
        (ConnectionResetError("reset"), StoreUnreachable),
        (boto.TokenRetrievalError(provider="sso", error_msg="expired"), InvalidCredentials),
        (boto.UnauthorizedSSOTokenError(), InvalidCredentials),
        (boto.CredentialRetrievalError(provider="role", error_msg="no"), InvalidCredentials),
        (boto.MetadataRetrievalError(error_msg="no"), InvalidCredentials),
        (boto.NoRegionError(), WrongRegion),
        (boto.UnsupportedS3ArnError(arn="arn:aws:s3"), StoreRejected),
        (ValueError("Invalid timestamp"), StoreRejected),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_failures_that_no_loopback_server_can_cause(
    verb: str, error: Exception, kind: type[StoreError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", broken)
    with pytest.raises(StoreError) as caught:
        VERBS[verb](store_at("http://127.0.0.1:1"))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert SECRET not in str(caught.value)


def test_an_error_can_be_sent_to_another_process() -> None:
    error, _ = failure("get", s3_error(403, "AccessDenied"))
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.action) == (AccessDenied, str(error), "s3:GetObject")


def test_a_store_recovers_when_its_server_does() -> None:
    with ErrorServer(s3_error(503, "SlowDown")) as server:
        store = store_at(server.url, read_attempts=1)
        with pytest.raises(StoreThrottled):
            store.put("a", b"1", PutMode.CREATE)
        server.answer(stored())
        assert store.put("a", b"1", PutMode.CREATE).size_bytes == 1
