"""Every request to a bucket is told: pages, repetitions, refusals, and those without an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.network import Proxy
from replica import AccessDenied, ObjectExists, ObjectNotFound, PutMode, StoreError
from replica.stores.s3 import S3Options, S3Store
from replica.stores.s3_requests import S3Request
from tests.servers import ErrorServer, Reply, raw_client, s3_error, s3_options, stored


class Told:
    """What was told, in order."""

    def __init__(self) -> None:
        self.requests: list[S3Request] = []

    def on(self, options: S3Options) -> S3Options:
        return replace(options, on_request=self.requests.append)

    def kinds(self) -> list[tuple[str, str, int | None]]:
        return [(one.operation, one.key, one.status) for one in self.requests]


@pytest.fixture
def told() -> Told:
    return Told()


def test_what_is_told_is_what_arrives(
    told: Told, tmp_path: Path, ministack_endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    """Number, order, keys, answers and bytes are those that a proxy in between sees."""
    bucket = new_bucket(ministack_endpoint)
    raw_client(ministack_endpoint).put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    path = tmp_path / "file.bin"
    path.write_bytes(b"f" * 3000)
    with Proxy(ministack_endpoint) as proxy:
        store = S3Store(told.on(s3_options(proxy.url, bucket)))
        store.put("log/1", b"one", PutMode.CREATE)
        with pytest.raises(ObjectExists):
            store.put("log/1", b"two", PutMode.CREATE)
        store.put("head.json", b"old", PutMode.OVERWRITE)
        store.put("head.json", b"newer", PutMode.OVERWRITE)
        store.put_file("exports/a/file.bin", path, "application/octet-stream")
        assert len(store.get("exports/a/file.bin").body) == 3000
        with pytest.raises(ObjectNotFound):
            store.get("log/2")
        assert len(store.list("")) == 3
        assert len(store.versions("head.json")) == 2
        assert [one.is_current for one in store.kept_versions("")] == [True, True, False, True]
        store.bucket.versioning()
        store.bucket.is_public("log/1")
        store.delete("head.json")
        arrived = proxy.exchanges()
    assert [one.status for one in told.requests] == [one.status for one in arrived]
    assert [one.sent_bytes for one in told.requests] == [one.request_body_bytes for one in arrived]
    assert [one.received_bytes for one in told.requests] == [
        one.answer_body_bytes for one in arrived
    ]
    assert all(0 < one.seconds < 30 for one in told.requests)
    full = "predictions/"
    assert told.kinds()[:8] == [
        ("PutObject", f"{full}log/1", 200),
        ("PutObject", f"{full}log/1", 412),
        ("PutObject", f"{full}head.json", 200),
        ("PutObject", f"{full}head.json", 200),
        ("PutObject", f"{full}exports/a/file.bin", 200),
        ("GetObject", f"{full}exports/a/file.bin", 200),
        ("GetObject", f"{full}log/2", 404),
        ("ListObjectsV2", full, 200),
    ]
    operations = Counter(one.operation for one in told.requests)
    assert operations["ListObjectVersions"] == 2
    assert operations["GetBucketVersioning"] == 1


def test_each_page_of_a_listing_is_told(
    told: Told, moto_endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    store = S3Store(told.on(s3_options(moto_endpoint, new_bucket(moto_endpoint))))
    for number in range(5):
        store.put(f"bronze/{number}", b"", PutMode.OVERWRITE)
    client, _ = store._connect("list", "")

    def two(params: dict[str, object], **_: object) -> None:
        params["MaxKeys"] = 2

    client.meta.events.register("provide-client-params.s3.ListObjectsV2", two)
    client.meta.events.register("provide-client-params.s3.ListObjectVersions", two)
    told.requests.clear()
    assert len(store.list("bronze/")) == 5
    assert told.kinds() == [("ListObjectsV2", "predictions/bronze/", 200)] * 3
    told.requests.clear()
    assert len(store.kept_versions("")) == 5
    assert [one.operation for one in told.requests] == ["ListObjectVersions"] * 3


@pytest.mark.parametrize(
    ("replies", "statuses"),
    [
        # Repeated by boto3, each time with an answer.
        ((s3_error(503, "SlowDown"), Reply(200, b"x")), [503, 200]),
        # No answer, and then one.
        ((Reply(drop=True), Reply(200, b"x")), [None, 200]),
        ((s3_error(403, "AccessDenied"),), [403]),
        # What no store would say: boto3 cannot read it, and it came all the same.
        ((Reply(200, b"<html>sign in", {"Content-Type": "text/html"}),), [200]),
        ((Reply(500, b"not XML"),), [500] * 4),
    ],
    ids=("throttled", "dropped", "refused", "foreign", "broken"),
)
def test_what_fails_is_told_too(
    told: Told,
    replies: tuple[Reply, ...],
    statuses: list[int | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    with ErrorServer(*replies) as server:
        store = S3Store(told.on(s3_options(server.url, "bucket")))
        # Which error it becomes is for other tests.
        with suppress(StoreError):
            store.get("log/1")
        assert [one.status for one in told.requests] == statuses
        assert len(server.received) == len(statuses)
    assert {one.key for one in told.requests} == {"predictions/log/1"}


def test_a_create_is_sent_and_told_once(told: Told) -> None:
    with ErrorServer(s3_error(503, "SlowDown"), stored()) as server:
        store = S3Store(told.on(s3_options(server.url, "bucket")))
        with pytest.raises(StoreError):
            store.put("log/1", b"body", PutMode.CREATE)
        assert told.kinds() == [("PutObject", "predictions/log/1", 503)]
        assert told.requests[0].sent_bytes == 4


def test_nobody_has_to_be_told(ministack_endpoint: str, new_bucket: Callable[[str], str]) -> None:
    options = s3_options(ministack_endpoint, new_bucket(ministack_endpoint))
    assert options.on_request is None
    assert options == replace(options, on_request=lambda request: None), "it is no setting"
    assert "on_request" not in repr(options)
    S3Store(options).put("log/1", b"", PutMode.CREATE)


def test_a_listing_of_versions_that_is_refused_says_what_is_missing() -> None:
    with (
        ErrorServer(s3_error(403, "AccessDenied")) as server,
        pytest.raises(AccessDenied, match="s3:ListBucketVersions"),
    ):
        S3Store(s3_options(server.url, "bucket")).kept_versions("")
