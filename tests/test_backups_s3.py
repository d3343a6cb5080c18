"""Backups in real object stores: a prefix with ten thousand objects, versions, a read-only key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.authority import OWNER
from jobs.backup_reading import find_backups
from jobs.backups import BackupKind
from jobs.retention import Retention
from replica import PutMode
from replica.stores.s3 import S3Store
from tests.backup_machines import Machine, machine
from tests.servers import raw_client, s3_options
from tests.stores import ManualClock
from tracking.backup_catalogue import delete_backups

FEW = Retention(keep_last=1, keep_daily=1, keep_weekly=0, keep_monthly=0)

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")


@pytest.fixture(params=["moto", "ministack"])
def bucket(
    request: pytest.FixtureRequest, new_bucket: Callable[[str], str]
) -> tuple[str, str, S3Store]:
    """A server's address, a fresh bucket there, and a store in it."""
    url = request.getfixturevalue(f"{request.param}_endpoint")
    name = new_bucket(url)
    return url, name, S3Store(s3_options(url, name))


@pytest.fixture
def one(tmp_path: Path, bucket: tuple[str, str, S3Store]) -> Iterator[Machine]:
    with machine(tmp_path / "one", bucket[2], ManualClock(), keep=FEW) as opened:
        opened.write("g1")
        yield opened


def test_made_forgotten_pruned_and_rebuilt(
    one: Machine, bucket: tuple[str, str, S3Store], tmp_path: Path
) -> None:
    store = bucket[2]
    kinds = [BackupKind.DAILY, BackupKind.BEFORE_IMPORT, BackupKind.DAILY]
    made = [one.backups.make_before(kind) for kind in kinds]
    by_hand = one.backups.make(OWNER)
    assert [info.key for info in store.list("backups/")] == sorted(
        backup.key for backup in (*made, by_hand)
    )
    forgotten = one.backups.forget(OWNER).forgotten
    assert len(forgotten) == 2
    log = [info.key for info in store.list("log/")]
    pruned = one.backups.prune(OWNER)
    assert (set(pruned.deleted), pruned.problems) == ({backup.key for backup in forgotten}, ())
    one.replica.sync_now()
    assert [info.key for info in store.list("log/")][: len(log)] == log

    before = one.catalogue()
    with one.replica.transaction() as transaction:
        delete_backups(transaction, [backup.key for backup in before])
    one.backups.rebuild(OWNER)
    assert one.catalogue() == before
    one.backups.download(OWNER, by_hand.key, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_bytes().startswith(b"SQLite format 3\x00")


def test_a_versioned_bucket_keeps_what_is_pruned(
    one: Machine, bucket: tuple[str, str, S3Store]
) -> None:
    url, name, store = bucket
    raw_client(url).put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Enabled"}
    )
    made = one.backups.make(OWNER)
    one.backups.forget(OWNER, [made.key])
    assert one.backups.prune(OWNER).deleted == (made.key,)
    [version] = store.versions(made.key)
    assert len(version.body) == made.size_bytes


def counting_pages(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each LIST is asked with."""
    clients = store._connect("list", "")
    pages: list[dict[str, Any]] = []
    original = clients[0].list_objects_v2

    def list_objects_v2(**asked: Any) -> Any:
        pages.append(dict(asked))
        return original(**asked)

    monkeypatch.setattr(clients[0], "list_objects_v2", list_objects_v2)
    return pages


def test_ten_thousand_objects_are_listed_by_pages(
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are put where moto keeps its objects: ten thousand requests would only cost time."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    name = new_bucket(moto_endpoint)
    store = S3Store(s3_options(moto_endpoint, name))
    with machine(tmp_path / "one", store, ManualClock(), keep=FEW) as one:
        one.write("g1")
        made = one.backups.make(OWNER)
        body = store.get(made.key).body
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        stem = made.key.removesuffix(".db.zst")
        for number in range(2, 10_001):
            backend.put_object(name, f"predictions/{stem}-{number}.db.zst", body)

        pages = counting_pages(store, monkeypatch)
        listed = store.list("backups/")
        assert len(listed) == 10_000
        assert len(pages) == 10
        assert len({info.key for info in listed}) == 10_000

        # All but three are known: only those are read.
        known = {info.key for info in listed[:-3]}
        found = find_backups(store, tmp_path, but=known)
        assert [backup.key for backup in found.backups] == [info.key for info in listed[-3:]]
        assert (len(found.listed), found.damaged, found.unknown) == (10_000, {}, ())
        assert {replace(backup, key="") for backup in found.backups} == {replace(made, key="")}

        # A prune's check lists them all, and misses nothing.
        pages.clear()
        one.backups.forget(OWNER, [made.key])
        assert one.backups.prune(OWNER).problems == ()
        assert len(pages) == 10


def test_more_than_a_page_of_real_requests(
    ministack_endpoint: str,
    new_bucket: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = new_bucket(ministack_endpoint)
    store = S3Store(s3_options(ministack_endpoint, name))
    with machine(tmp_path / "one", store, ManualClock()) as one:
        one.write("g1")
        made = one.backups.make(OWNER)
        body = store.get(made.key).body
        stem = made.key.removesuffix(".db.zst")
        keys = [f"{stem}-{number}.db.zst" for number in range(2, 1_102)]
        with ThreadPoolExecutor(8) as writers:
            list(writers.map(lambda key: store.put(key, body, PutMode.CREATE), keys))
        pages = counting_pages(store, monkeypatch)
        found = find_backups(store, tmp_path, but=set(keys[5:]))
        assert len(pages) == 2
        assert {backup.key for backup in found.backups} == {made.key, *keys[:5]}
