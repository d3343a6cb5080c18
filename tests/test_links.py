"""Files in a store, and links to them on a server that checks signatures and expiry."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from replica import DiskFull, FileStore, InvalidCredentials, LocalError, ObjectNotFound
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Store
from replica.stores.s3_links import CredentialsLife, S3Links, attachment
from tests.servers import ErrorServer, Reply, raw_client, s3_options

KEY = "exports/one/season=2024-25/a file.csv"
CSV = "text/csv; charset=utf-8"
HOUR = timedelta(hours=1)
BODY = b"player,points\nLuka,33\n" * 100_000

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")


@pytest.fixture(params=["folder", "moto", "ministack"])
def store(
    request: pytest.FixtureRequest, new_bucket: Callable[[str], str], tmp_path: Path
) -> FolderStore | S3Store:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    url = request.getfixturevalue(f"{request.param}_endpoint")
    return S3Store(s3_options(url, new_bucket(url)))


@pytest.fixture
def shared(ministack_endpoint: str, new_bucket: Callable[[str], str], tmp_path: Path) -> Any:
    """Options of a bucket with one file in it."""
    options = s3_options(ministack_endpoint, new_bucket(ministack_endpoint))
    S3Store(options).put_file(KEY, written(tmp_path), CSV)
    return options


def written(folder: Path, body: bytes = BODY) -> Path:
    path = folder / "written"
    path.write_bytes(body)
    return path


def fetched(address: str) -> tuple[int, Message, bytes]:
    """What plain HTTP gets: status, headers and body."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


# Files --------------------------------------------------------------------------------------------


def test_a_file_goes_there_and_back(store: FolderStore | S3Store, tmp_path: Path) -> None:
    assert isinstance(store, FileStore)
    put = store.put_file(KEY, written(tmp_path), CSV)
    assert (put.key, put.size_bytes) == (KEY, len(BODY))
    got = store.get_file(KEY, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == BODY
    assert (got.key, got.size_bytes) == (KEY, len(BODY))
    assert [info.key for info in store.list("exports/")] == [KEY]
    store.put_file(KEY, written(tmp_path, b""), CSV)
    assert store.get_file(KEY, tmp_path / "copy").size_bytes == 0
    assert (tmp_path / "copy").read_bytes() == b""


def test_what_is_missing_is_told(store: FolderStore | S3Store, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound, match="nothing"):
        store.get_file("exports/nothing", tmp_path / "copy")
    with pytest.raises(LocalError, match="nowhere"):
        store.put_file(KEY, tmp_path / "nowhere", CSV)
    assert store.list("") == []


def test_a_full_disk_is_not_the_stores_failure(
    store: FolderStore | S3Store, tmp_path: Path
) -> None:
    store.put_file(KEY, written(tmp_path), CSV)
    with pytest.raises(DiskFull):
        store.get_file(KEY, Path("/dev/full"))


def test_a_body_that_breaks_off_is_asked_for_again(tmp_path: Path) -> None:
    said = {"ETag": '"0"', "Last-Modified": "Fri, 20 Nov 2026 18:00:00 GMT"}
    broken = Reply(body=b"half", headers=said, declared_size_bytes=9)
    with ErrorServer(broken, Reply(body=b"all of it", headers=said)) as server:
        S3Store(s3_options(server.url, "bucket")).get_file("key", tmp_path / "copy")
        assert len(server.received) == 2
    assert (tmp_path / "copy").read_bytes() == b"all of it"


def test_what_a_file_is_is_stored_with_it(shared: Any) -> None:
    """For whoever gets it past our links, through a distribution."""
    client = raw_client(shared.endpoint_url)
    found = client.head_object(Bucket=shared.bucket, Key=f"predictions/{KEY}")
    assert found["ContentType"] == CSV
    assert found["ContentDisposition"] == 'attachment; filename="a file.csv"'


# Links --------------------------------------------------------------------------------------------


def test_a_link_downloads_a_file_by_its_name(shared: Any) -> None:
    address = S3Links(shared).link(KEY, lasts=HOUR, media_type=CSV)
    status, headers, body = fetched(address)
    assert (status, body) == (200, BODY)
    assert headers["Content-Disposition"] == 'attachment; filename="a file.csv"'
    assert headers["Content-Type"] == CSV


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Amz-Expires=3600", "X-Amz-Expires=604800"),
        ("exports/one", "exports/two"),
        ("attachment", "inline"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
    ],
)
def test_a_link_that_was_changed_is_refused(shared: Any, old: str, new: str) -> None:
    S3Store(shared).put_file(KEY.replace("one", "two"), Path(__file__), CSV)
    address = S3Links(shared).link(KEY, lasts=HOUR, media_type=CSV)
    assert old in address
    status, _, body = fetched(address.replace(old, new))
    assert (status, b"SignatureDoesNotMatch" in body) == (403, True)


def test_a_link_ends_when_its_time_is_over(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is signed in the past: whether a link that was good ends is the server's clock's."""

    def signed(ago: timedelta) -> str:
        then = (datetime.now(UTC) - ago).replace(tzinfo=None)
        with monkeypatch.context() as patched:
            patched.setattr("botocore.auth.get_current_datetime", lambda *_, **__: then)
            return S3Links(shared).link(KEY, lasts=HOUR, media_type=CSV)

    assert fetched(signed(timedelta(minutes=59)))[0] == 200
    status, _, body = fetched(signed(timedelta(minutes=61)))
    assert (status, b"expired" in body) == (403, True)


def test_a_link_ends_with_its_object(shared: Any) -> None:
    address = S3Links(shared).link(KEY, lasts=HOUR, media_type=CSV)
    S3Store(shared).delete(KEY)
    assert fetched(address)[0] == 404
    # Nor can an older version be had by it.
    client = raw_client(shared.endpoint_url)
    client.put_bucket_versioning(
        Bucket=shared.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    S3Store(shared).put_file(KEY, Path(__file__), CSV)
    S3Store(shared).delete(KEY)
    assert fetched(address)[0] == 404


def test_a_link_is_never_longer_than_s3_takes_and_never_over_at_once(shared: Any) -> None:
    links = S3Links(shared)
    assert "X-Amz-Expires=604800&" in links.link(KEY, lasts=HOUR * 1000, media_type=CSV)
    for lasts in (timedelta(0), -HOUR, timedelta(seconds=0.9)):
        with pytest.raises(ValueError, match="cannot last"):
            links.link(KEY, lasts=lasts, media_type=CSV)


@pytest.mark.parametrize("region", ["eu-central-1", "eu-south-1", "us-east-1"])
def test_links_of_aws_name_bucket_and_region(region: str) -> None:
    """The host of all regions sends on to another one, for which the signature does not hold."""
    options = s3_options(None, "my-bucket", region=region)
    address = S3Links(options).link("a", lasts=HOUR, media_type=CSV)
    where, _, _ = address.partition("?")
    assert where == f"https://my-bucket.s3.{region}.amazonaws.com/predictions/a"
    assert "AWS4-HMAC-SHA256" in address, "older ways of signing are refused in newer regions"


def test_links_of_other_services_have_the_bucket_in_the_path() -> None:
    options = s3_options("https://account.r2.example", "my-bucket", region="auto")
    where, _, _ = S3Links(options).link("a", lasts=HOUR, media_type=CSV).partition("?")
    assert where == "https://account.r2.example/my-bucket/predictions/a"


@pytest.fixture
def from_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., S3Links]:
    """What signs where the environment has the key, and these settings besides."""

    def made(**settings: str) -> S3Links:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return S3Links(s3_options(None, "b", access_key_id=None, secret_access_key=None))

    return made


def test_how_long_credentials_last(from_environment: Callable[..., S3Links]) -> None:
    assert from_environment().credentials_life() == CredentialsLife(False, None)
    token = {"AWS_SESSION_TOKEN": "t"}
    assert from_environment(**token).credentials_life() == CredentialsLife(True, None)
    ends_at = (datetime.now(UTC) + 9 * HOUR).isoformat()
    life = from_environment(**token, AWS_CREDENTIAL_EXPIRATION=ends_at).credentials_life()
    assert life.is_temporary
    assert life.lasts is not None
    assert 9 * HOUR - timedelta(minutes=5) < life.lasts <= 9 * HOUR


def test_credentials_that_have_ended_sign_nothing(from_environment: Callable[..., S3Links]) -> None:
    ended = (datetime.now(UTC) - HOUR).isoformat()
    links = from_environment(AWS_SESSION_TOKEN="t", AWS_CREDENTIAL_EXPIRATION=ended)
    with pytest.raises(InvalidCredentials, match="expired"):
        links.credentials_life()


def test_a_token_from_the_secrets_is_of_unknown_end() -> None:
    links = S3Links(s3_options(None, "b", session_token="token"))
    assert links.credentials_life() == CredentialsLife(True, None)
    assert "X-Amz-Security-Token=token" in links.link("a", lasts=HOUR, media_type=CSV)


def test_without_credentials_no_link() -> None:
    links = S3Links(s3_options(None, "b", access_key_id=None, secret_access_key=None))
    with pytest.raises(InvalidCredentials):
        links.credentials_life()
    with pytest.raises(InvalidCredentials, match="sign a link to a"):
        links.link("a", lasts=HOUR, media_type=CSV)


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.csv", 'attachment; filename="a.csv"'),
        ('a"b\\.csv', "attachment; filename=\"a_b_.csv\"; filename*=UTF-8''a%22b%5C.csv"),
        ("č\n.csv", "attachment; filename=\"__.csv\"; filename*=UTF-8''%C4%8D%0A.csv"),
    ],
)
def test_file_names_in_headers(name: str, header: str) -> None:
    assert attachment(name) == header
