"""Every store does the same: S3 as moto and MiniStack serve it, and the local folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from replica.errors import (
    AccessDenied,
    BucketMissing,
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreRejected,
    StoreUnreachable,
)
from replica.store import ObjectStore, PutMode, VersionedStore
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options, S3Store
from tests.servers import (
    ErrorServer,
    Reply,
    empty_listing,
    raw_client,
    s3_options,
    stored,
)

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")

Reopen = Callable[[], ObjectStore]


@pytest.fixture(params=["moto", "ministack"])
def endpoint(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_endpoint"))


@pytest.fixture(params=["moto", "ministack", "folder"])
def reopen(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Callable[[str], str]
) -> Reopen:
    """Opens the same empty place, each time as a new store, as another process would."""
    if request.param == "folder":
        return lambda: FolderStore(tmp_path / "store")
    url = request.getfixturevalue(f"{request.param}_endpoint")
    options = s3_options(url, new_bucket(url))
    return lambda: S3Store(options)


@pytest.fixture
def store(reopen: Reopen) -> ObjectStore:
    return reopen()


@pytest.mark.parametrize(
    "body", [b"", b"x", bytes(range(256)) * 4096], ids=["empty", "one byte", "1 MB"]
)
@pytest.mark.parametrize("mode", PutMode)
def test_what_is_put_can_be_read(reopen: Reopen, body: bytes, mode: PutMode) -> None:
    written = reopen().put("snapshots/1", body, mode)
    found = reopen().get("snapshots/1")
    assert found.body == body
    assert (written.key, written.size_bytes) == ("snapshots/1", len(body))
    assert (found.info.key, found.info.size_bytes) == ("snapshots/1", len(body))


def test_times_are_utc_and_now(store: ObjectStore) -> None:
    written = store.put("a", b"1", PutMode.CREATE)
    for info in (written, store.get("a").info, *store.list("")):
        assert info.modified_at.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - info.modified_at) < timedelta(seconds=30)


def test_reading_and_listing_tell_the_same_of_an_object(store: ObjectStore) -> None:
    store.put("a", b"12345", PutMode.CREATE)
    assert store.list("") == [store.get("a").info]


def test_create_leaves_a_taken_key_as_it_is(reopen: Reopen) -> None:
    reopen().put("snapshots/1", b"first", PutMode.CREATE)
    with pytest.raises(ObjectExists) as caught:
        reopen().put("snapshots/1", b"second", PutMode.CREATE)
    assert (caught.value.operation, caught.value.key) == ("put", "snapshots/1")
    assert reopen().get("snapshots/1").body == b"first"


def test_create_refuses_its_own_bytes_too(store: ObjectStore) -> None:
    store.put("snapshots/1", b"same", PutMode.CREATE)
    with pytest.raises(ObjectExists):
        store.put("snapshots/1", b"same", PutMode.CREATE)


def test_overwrite_replaces(store: ObjectStore) -> None:
    store.put("latest", b"first, longer", PutMode.OVERWRITE)
    store.put("latest", b"second", PutMode.OVERWRITE)
    assert store.get("latest").body == b"second"
    assert [info.size_bytes for info in store.list("")] == [6]


def test_of_many_creates_at_once_one_wins(reopen: Reopen) -> None:
    racers = 8
    barrier = threading.Barrier(racers)
    stores = [reopen() for _ in range(racers)]
    for contender in stores:
        contender.list("")

    def claim(number: int) -> int | None:
        barrier.wait(30)
        try:
            stores[number].put("snapshots/1", f"writer {number}".encode(), PutMode.CREATE)
        except ObjectExists:
            return None
        return number

    with ThreadPoolExecutor(racers) as pool:
        winners = [number for number in pool.map(claim, range(racers)) if number is not None]
    assert len(winners) == 1
    assert reopen().get("snapshots/1").body == f"writer {winners[0]}".encode()


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    store.put("snapshots/1", b"1", PutMode.CREATE)
    with pytest.raises(ObjectNotFound) as caught:
        store.get("snapshots/2")
    assert (caught.value.operation, caught.value.key) == ("get", "snapshots/2")


def test_a_listing_is_sorted_and_below_its_prefix(store: ObjectStore) -> None:
    for key in ("snapshots/2", "snapshots/10", "backups/1", "snapshots/1", "snapshots-old"):
        store.put(key, key.encode(), PutMode.CREATE)
    assert [info.key for info in store.list("snapshots/")] == [
        "snapshots/1",
        "snapshots/10",
        "snapshots/2",
    ]
    assert [info.key for info in store.list("")] == [
        "backups/1",
        "snapshots-old",
        "snapshots/1",
        "snapshots/10",
        "snapshots/2",
    ]
    assert [info.size_bytes for info in store.list("backups/")] == [len("backups/1")]


def test_a_listing_of_nothing_is_empty(store: ObjectStore) -> None:
    assert store.list("snapshots/") == []


def test_a_listing_begins_after_a_key(store: ObjectStore) -> None:
    for key in ("log/08", "log/09", "log/10", "log/10-a", "log/11", "m/1"):
        store.put(key, b"1", PutMode.CREATE)
    assert [info.key for info in store.list("log/", start_after="log/09")] == [
        "log/10",
        "log/10-a",
        "log/11",
    ]
    # The key need not exist, lie below the prefix, or leave anything.
    assert len(store.list("log/", start_after="log/095")) == 3
    assert len(store.list("log/", start_after="a")) == 5
    assert store.list("log/", start_after="log/11") == []
    assert store.list("log/", start_after="m/0") == []


def test_what_is_deleted_is_gone_and_can_be_created_anew(reopen: Reopen) -> None:
    for key in ("probe/1", "probe/2"):
        reopen().put(key, b"first", PutMode.CREATE)
    reopen().delete("probe/1")
    with pytest.raises(ObjectNotFound):
        reopen().get("probe/1")
    assert [info.key for info in reopen().list("")] == ["probe/2"]
    reopen().put("probe/1", b"second", PutMode.CREATE)
    assert reopen().get("probe/1").body == b"second"


@pytest.mark.parametrize("key", ["nothing", "probe", "probe/1/below"])
def test_to_delete_what_is_not_there_is_fine(store: ObjectStore, key: str) -> None:
    store.put("probe/1", b"1", PutMode.CREATE)
    store.delete(key)
    assert [info.key for info in store.list("")] == ["probe/1"]


@pytest.mark.parametrize(
    "key", ["csv/game_date=2026-11-20/a.csv", "a b+c", "100%25&x", "Jokić", "a~b(c)'d'"]
)
def test_a_key_keeps_its_characters(store: ObjectStore, key: str) -> None:
    store.put(key, b"1", PutMode.CREATE)
    assert store.get(key).body == b"1"
    assert [info.key for info in store.list("")] == [key]


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/./b"])
def test_what_is_no_key_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.get(key)
    with pytest.raises(ValueError, match="not a key"):
        store.put(key, b"1", PutMode.CREATE)
    with pytest.raises(ValueError, match="not a key"):
        store.delete(key)
    assert store.list("") == []


def test_a_missing_bucket_is_not_an_empty_one(endpoint: str) -> None:
    missing = S3Store(s3_options(endpoint, "there-is-no-such-bucket"))
    for operation in (
        lambda: missing.get("a"),
        lambda: missing.put("a", b"1", PutMode.CREATE),
        lambda: missing.put("a", b"1", PutMode.OVERWRITE),
        lambda: missing.list(""),
        lambda: missing.delete("a"),
        lambda: missing.versions("a"),
    ):
        with pytest.raises(BucketMissing) as caught:
            operation()
        assert "there-is-no-such-bucket" in caught.value.remedy


def test_a_missing_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    shutil.rmtree(tmp_path / "store")
    for operation in (lambda: store.list(""), lambda: store.delete("a")):
        with pytest.raises(BucketMissing):
            operation()


@pytest.mark.parametrize(
    ("prefix", "stored_below"),
    [
        ("predictions/", "predictions/"),
        ("predictions", "predictions/"),
        ("/a/b/", "a/b/"),
        ("", ""),
        ("/", ""),
    ],
)
def test_everything_is_below_the_prefix(
    endpoint: str, new_bucket: Callable[[str], str], prefix: str, stored_below: str
) -> None:
    bucket = new_bucket(endpoint)
    store = S3Store(s3_options(endpoint, bucket, prefix=prefix))
    store.put("snapshots/1", b"1", PutMode.CREATE)
    assert store.location == f"s3://{bucket}/{stored_below}"
    assert [info.key for info in store.list("snapshots/")] == ["snapshots/1"]
    listed = raw_client(endpoint).list_objects_v2(Bucket=bucket)["Contents"]
    assert [entry["Key"] for entry in listed] == [f"{stored_below}snapshots/1"]


def test_prefixes_of_one_bucket_do_not_mix(endpoint: str, new_bucket: Callable[[str], str]) -> None:
    bucket = new_bucket(endpoint)
    first = S3Store(s3_options(endpoint, bucket, prefix="predictions/"))
    second = S3Store(s3_options(endpoint, bucket, prefix="predictions-test/"))
    first.put("a", b"first", PutMode.CREATE)
    assert second.list("") == []
    second.put("a", b"second", PutMode.CREATE)
    assert first.get("a").body == b"first"


@pytest.mark.parametrize(("start_after", "listed"), [("", 7), ("snapshots/1", 5)])
def test_a_listing_follows_its_pages(
    endpoint: str, new_bucket: Callable[[str], str], start_after: str, listed: int
) -> None:
    store = S3Store(s3_options(endpoint, new_bucket(endpoint)))
    keys = [f"snapshots/{number}" for number in range(7)]
    for key in keys:
        store.put(key, b"1", PutMode.CREATE)
    pages = two_a_page(store, "ListObjectsV2")
    found = store.list("snapshots/", start_after=start_after)
    assert [info.key for info in found] == keys[-listed:]
    assert len(pages) == (listed + 1) // 2


def two_a_page(store: S3Store, request: str) -> list[dict[str, Any]]:
    """Makes the store answer in short pages; returns what each was asked with."""
    pages: list[dict[str, Any]] = []

    def shorten(params: dict[str, Any], **_: object) -> None:
        params["MaxKeys"] = 2
        pages.append(dict(params))

    client, _ = store._connect("list", "")
    client.meta.events.register(f"provide-client-params.s3.{request}", shorten)
    return pages


@pytest.fixture
def versioned(endpoint: str, new_bucket: Callable[[str], str]) -> S3Store:
    """A store in a bucket that keeps what is overwritten or deleted."""
    bucket = new_bucket(endpoint)
    raw_client(endpoint).put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    return S3Store(s3_options(endpoint, bucket))


def test_older_versions_come_oldest_first(versioned: S3Store) -> None:
    assert isinstance(versioned, VersionedStore)
    assert versioned.versions("log/1") == []
    first = versioned.put("log/1", b"first", PutMode.CREATE)
    versioned.put("log/1", b"second", PutMode.OVERWRITE)
    versioned.delete("log/1")
    versioned.put("log/1", b"third", PutMode.OVERWRITE)
    # Their names begin with the other's, and are others all the same.
    for key in ("log/1-0", "log/10"):
        versioned.put(key, b"another", PutMode.CREATE)
    found = versioned.versions("log/1")
    assert [stored.body for stored in found] == [b"first", b"second", b"third"]
    assert {stored.info.key for stored in found} == {"log/1"}
    assert found[0].info.size_bytes == len(b"first")
    assert abs(found[0].info.modified_at - first.modified_at) < timedelta(seconds=2)
    assert versioned.get("log/1").body == b"third"


def test_what_was_deleted_is_still_among_the_versions(versioned: S3Store) -> None:
    versioned.put("log/1", b"first", PutMode.CREATE)
    versioned.delete("log/1")
    versioned.delete("log/1")
    assert [stored.body for stored in versioned.versions("log/1")] == [b"first"]
    with pytest.raises(ObjectNotFound):
        versioned.get("log/1")


def test_the_list_of_versions_follows_its_pages(versioned: S3Store) -> None:
    bodies = [f"version {number}".encode() for number in range(5)]
    for body in bodies:
        versioned.put("log/1", body, PutMode.OVERWRITE)
    for number in range(4):
        versioned.put(f"log/1{number}", b"another", PutMode.CREATE)
    pages = two_a_page(versioned, "ListObjectVersions")
    assert [stored.body for stored in versioned.versions("log/1")] == bodies
    assert len(pages) == 3, "it ends where other keys begin"


def test_without_versioning_there_is_what_is_there(
    endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    store = S3Store(s3_options(endpoint, new_bucket(endpoint)))
    store.put("log/1", b"first", PutMode.CREATE)
    store.put("log/1", b"second", PutMode.OVERWRITE)
    store.put("log/10", b"another", PutMode.CREATE)
    assert [stored.body for stored in store.versions("log/1")] == [b"second"]
    store.delete("log/1")
    assert store.versions("log/1") == []


def answer_instead(store: S3Store, request: str, status: int, code: str) -> None:
    """Answers one kind of request with an error, before it is sent."""
    body = f"<Error><Code>{code}</Code><Message>as told by the test</Message></Error>".encode()

    class Raw:
        def stream(self) -> Iterator[bytes]:
            yield body

    def answer(**_: object) -> Any:
        return AWSResponse("", status, HTTPHeaders(), Raw())

    for client in store._connect("get", "a"):
        client.meta.events.register(f"before-send.s3.{request}", answer)


def answering(request: str, status: int, code: str) -> S3Store:
    """A store that gets an error for one kind of request, and can send nothing else."""
    store = S3Store(s3_options("http://127.0.0.1:9", "the-bucket", read_attempts=1))
    answer_instead(store, request, status, code)
    return store


@pytest.mark.parametrize(
    ("status", "code", "error", "remedy"),
    [
        (403, "AccessDenied", AccessDenied, "s3:DeleteObject"),
        (404, "NoSuchBucket", BucketMissing, "the-bucket"),
        (405, "MethodNotAllowed", StoreRejected, "Read the store's own words"),
        (500, "InternalError", StoreUnreachable, "tried again"),
    ],
)
def test_a_delete_that_fails_is_explained(
    status: int, code: str, error: type[StoreError], remedy: str
) -> None:
    with pytest.raises(error, match=remedy) as caught:
        answering("DeleteObject", status, code).delete("a")
    assert (caught.value.operation, caught.value.key) == ("delete", "a")


def test_a_service_may_say_that_what_is_deleted_was_not_there() -> None:
    answering("DeleteObject", 404, "NoSuchKey").delete("a")


@pytest.mark.parametrize(
    ("status", "code", "error", "remedy"),
    [
        (403, "AccessDenied", AccessDenied, "s3:ListBucketVersions .* s3:GetObjectVersion"),
        (501, "NotImplemented", StoreRejected, "supports this request"),
        (500, "InternalError", StoreUnreachable, "tried again"),
    ],
)
def test_versions_that_cannot_be_listed_are_explained(
    status: int, code: str, error: type[StoreError], remedy: str
) -> None:
    with pytest.raises(error, match=remedy) as caught:
        answering("ListObjectVersions", status, code).versions("a")
    assert (caught.value.operation, caught.value.key) == ("list the versions of", "a")


@pytest.mark.parametrize(
    ("code", "status", "left"), [("NoSuchVersion", 404, []), ("AccessDenied", 403, None)]
)
def test_a_version_that_cannot_be_read(
    endpoint: str, new_bucket: Callable[[str], str], code: str, status: int, left: object
) -> None:
    store = S3Store(s3_options(endpoint, new_bucket(endpoint)))
    store.put("a", b"1", PutMode.CREATE)
    answer_instead(store, "GetObject", status, code)
    if left is not None:
        assert store.versions("a") == left
        return
    with pytest.raises(AccessDenied, match="s3:GetObjectVersion") as caught:
        store.versions("a")
    assert caught.value.action == "s3:GetObjectVersion"


def test_a_list_of_versions_without_a_next_page_is_refused() -> None:
    answer = (
        '<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<IsTruncated>true</IsTruncated></ListVersionsResult>"
    )
    with ErrorServer(Reply(200, answer.encode())) as server:
        store = S3Store(s3_options(server.url, "bucket"))
        with pytest.raises(StoreRejected, match="no next page"):
            store.versions("a")


def test_an_answer_from_something_else_is_not_an_object_without_versions() -> None:
    with ErrorServer(Reply(200, b"<html>Sign in</html>")) as server:
        store = S3Store(s3_options(server.url, "bucket", read_attempts=1))
        with pytest.raises(StoreUnreachable):
            store.versions("a")


def test_folder_markers_are_not_objects(endpoint: str, new_bucket: Callable[[str], str]) -> None:
    bucket = new_bucket(endpoint)
    store = S3Store(s3_options(endpoint, bucket))
    for marker in ("predictions/", "predictions/snapshots/"):
        raw_client(endpoint).put_object(Bucket=bucket, Key=marker, Body=b"")
    store.put("snapshots/1", b"1", PutMode.CREATE)
    assert [info.key for info in store.list("")] == ["snapshots/1"]
    assert [info.key for info in store.list("snapshots/")] == ["snapshots/1"]


@pytest.mark.parametrize("mode", PutMode)
def test_objects_lie_encrypted(
    endpoint: str, new_bucket: Callable[[str], str], mode: PutMode
) -> None:
    bucket = new_bucket(endpoint)
    S3Store(s3_options(endpoint, bucket)).put("a", b"1", mode)
    head = raw_client(endpoint).head_object(Bucket=bucket, Key="predictions/a")
    assert head["ServerSideEncryption"] == "AES256"


KMS_KEY = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("settings", "algorithm", "kms_key"),
    [
        ({}, "AES256", None),
        ({"encryption": "AES256"}, "AES256", None),
        ({"kms_key_id": KMS_KEY}, "aws:kms", KMS_KEY),
        ({"kms_key_id": KMS_KEY, "encryption": "aws:kms"}, "aws:kms", KMS_KEY),
        ({"encryption": "aws:kms"}, "aws:kms", None),
        ({"encryption": "none"}, None, None),
    ],
)
@pytest.mark.parametrize("mode", PutMode)
def test_encryption_is_asked_for_with_each_put(
    settings: dict[str, str], algorithm: str | None, kms_key: str | None, mode: PutMode
) -> None:
    with ErrorServer(stored()) as server:
        S3Store(s3_options(server.url, "bucket", **settings)).put("a", b"1", mode)
        headers = server.received[0].headers
    assert headers.get("x-amz-server-side-encryption") == algorithm
    assert headers.get("x-amz-server-side-encryption-aws-kms-key-id") == kms_key


def test_only_a_create_is_conditional() -> None:
    with ErrorServer(stored()) as server:
        store = S3Store(s3_options(server.url, "bucket"))
        store.put("a", b"1", PutMode.CREATE)
        store.put("a", b"1", PutMode.OVERWRITE)
        conditions = [request.headers.get("if-none-match") for request in server.received]
    assert conditions == ["*", None]


def test_other_services_get_no_checksums_and_path_addresses() -> None:
    with ErrorServer(stored()) as server:
        store = S3Store(s3_options(server.url, "bucket"))
        store.put("a", b"1", PutMode.CREATE)
        put = server.received[0]
        server.answer(Reply(headers={"Last-Modified": "Fri, 20 Nov 2026 18:00:00 GMT"}))
        store.get("a")
        get = server.received[0]
    for request in (put, get):
        assert request.path == "/bucket/predictions/a"
        assert not [name for name in request.headers if "checksum" in name or "trailer" in name]
    assert put.body == b"1"


@pytest.mark.parametrize(
    ("endpoint_url", "is_aws"),
    [
        (None, True),
        ("https://s3.eu-central-1.amazonaws.com", True),
        ("https://bucket.vpce-1.s3.eu-central-1.vpce.amazonaws.com", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", True),
        ("https://0123.r2.cloudflarestorage.com", False),
        ("http://127.0.0.1:9000", False),
        ("https://notamazonaws.com", False),
        ("https://amazonaws.com.example.org", False),
    ],
)
def test_which_endpoints_are_aws(endpoint_url: str | None, is_aws: bool) -> None:
    options = S3Options(bucket="bucket", region="eu-central-1", endpoint_url=endpoint_url)
    assert options.is_aws is is_aws


def test_aws_gets_its_own_addresses_and_checksums() -> None:
    store = S3Store(S3Options("bucket", "eu-central-1", access_key_id="a", secret_access_key="b"))
    for client in store._connect("get", "a"):
        assert client.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"
        config: Any = client.meta.config
        assert config.request_checksum_calculation == "when_supported"
        assert not config.s3


@pytest.mark.parametrize("offset_seconds", [0, 3600, -86_400])
def test_the_clock_offset_is_the_stores_time_minus_ours(
    endpoint: str, new_bucket: Callable[[str], str], offset_seconds: int
) -> None:
    store = S3Store(
        s3_options(endpoint, new_bucket(endpoint)),
        clock=lambda: datetime.now(UTC) - timedelta(seconds=offset_seconds),
    )
    assert store.clock_offset_seconds is None
    store.put("a", b"1", PutMode.CREATE)
    assert store.clock_offset_seconds == pytest.approx(offset_seconds, abs=3)


def test_a_put_is_dated_by_the_store_not_by_this_machine() -> None:
    reply = replace(stored(Date="Fri, 20 Nov 2026 23:59:58 GMT"), send_date=False)
    with ErrorServer(reply) as server:
        written = S3Store(s3_options(server.url, "bucket")).put("a", b"1", PutMode.CREATE)
    assert written.modified_at == datetime(2026, 11, 20, 23, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_a_put_without_the_stores_time_is_an_error(date: str | None) -> None:
    reply = stored() if date is None else stored(Date=date)
    with ErrorServer(replace(reply, send_date=False)) as server:
        store = S3Store(s3_options(server.url, "bucket"))
        with pytest.raises(StoreRejected, match="Date"):
            store.put("a", b"1", PutMode.CREATE)
        assert store.clock_offset_seconds is None


def test_two_clients_are_made_once_however_many_threads_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []
    original = boto3.session.Session.client

    def counted(self: Any, name: Any, *arguments: Any, **named: Any) -> Any:
        made.append(name)
        return original(self, name, *arguments, **named)

    monkeypatch.setattr(boto3.session.Session, "client", counted)
    threads = 8
    barrier = threading.Barrier(threads)
    with ErrorServer(empty_listing("bucket")) as server:
        store = S3Store(s3_options(server.url, "bucket"))
        assert made == []

        def first_use(_: int) -> int:
            barrier.wait(30)
            return len(store.list(""))

        with ThreadPoolExecutor(threads) as pool:
            assert list(pool.map(first_use, range(threads))) == [0] * threads
    assert made == ["s3", "s3"]


def test_a_store_that_is_not_used_loads_no_boto3() -> None:
    program = (
        "import sys\n"
        "from replica.stores.s3 import S3Options, S3Store\n"
        "store = S3Store(S3Options('bucket', 'us-east-1'))\n"
        "assert store.location == 's3://bucket/predictions/'\n"
        "assert not {'boto3', 'botocore', 'urllib3'} & set(sys.modules)\n"
    )
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", program], cwd=root, check=True, timeout=60)


def test_nothing_shows_a_credential() -> None:
    options = S3Options(
        "bucket",
        "us-east-1",
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="the-secret-key",
        session_token="the-session-token",
        endpoint_url="https://user:password@minio.example",
    )
    store = S3Store(options)
    for text in (repr(options), str(options), repr(store), str(store), store.location):
        for secret in ("AKIA", "the-secret-key", "the-session-token", "password"):
            assert secret not in text
