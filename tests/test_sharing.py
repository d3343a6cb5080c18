"""Exports: made, shared by links that end, taken back, and removed when their time is over."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exports.draft import Draft, Format, Progress, View
from jobs.authority import OWNER, VISITOR
from jobs.configuration import FolderSettings, Settings
from jobs.errors import NotPermitted
from jobs.export_settings import ExportSettings
from jobs.sharing import (
    Export,
    ExportElsewhere,
    ExportEnded,
    ExportUnderWay,
    Link,
    NotShareable,
    Sharing,
    Standing,
    UnknownExport,
    duckdb_query,
)
from replica import AccessDenied, DiskFull, ObjectInfo, ObjectStore, PutMode, StoreUnreachable
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options, S3Store
from tests.applications import running, settings_for
from tests.backup_machines import Machine
from tests.servers import s3_options
from tests.stores import ManualClock
from tests.test_links import fetched

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
CSV = b"player,points\nLuka,33\n"
MONTHS = ("season=2024-25/month=2025-01", "season=2025-26/month=2025-11")
STRAY = "exports/00000000-0000-4000-8000-000000000000/a.csv"

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")


class FailingStore(FolderStore):
    """A folder that fails at some keys, and counts what it is asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.refused: dict[str, str] = {}
        self.listed: list[str] = []

    def put_file(
        self,
        key: str,
        path: Path,
        media_type: str,
        on_read: Callable[[int], None] = lambda read_bytes: None,
    ) -> ObjectInfo:
        info = super().put_file(key, path, media_type, on_read)
        self._fail("put", key)
        return info

    def delete(self, key: str) -> None:
        self._fail("delete", key)
        super().delete(key)

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        self.listed.append(prefix)
        return super().list(prefix, start_after=start_after)

    def _fail(self, verb: str, key: str) -> None:
        part = self.refused.get(verb)
        if part is not None and part in key:
            if verb == "delete":
                raise AccessDenied(verb, key, "s3:DeleteObject")
            raise StoreUnreachable(verb, key)


class Sharer:
    """A machine with an open state that shares."""

    def __init__(
        self, folder: Path, store: ObjectStore, settings: Settings, clock: ManualClock
    ) -> None:
        self.machine = Machine(folder, store, clock, settings)
        self.store = store
        self.clock = clock
        self.sharing = Sharing(settings, clock, lambda operation: self.machine.state)

    def objects(self) -> list[str]:
        return [info.key for info in self.store.list("exports/")]

    def rows(self) -> list[Export]:
        return self.sharing.exports(OWNER)


@contextmanager
def opened(
    folder: Path, place: ObjectStore, clock: ManualClock, **changes: Any
) -> Iterator[Sharer]:
    folder.mkdir(parents=True, exist_ok=True)
    one = Sharer(folder, place, replace(settings_for(folder, None), **changes), clock)
    try:
        one.machine.replica.restore()
        yield one
    finally:
        one.machine.replica.close(0)


@pytest.fixture
def one(tmp_path: Path, clock: ManualClock) -> Iterator[Sharer]:
    """One whose store is a folder; its clock is close to the time of the folder's files."""
    clock.now = datetime.now(UTC)
    with opened(tmp_path / "one", FailingStore(tmp_path / "store"), clock) as sharer:
        yield sharer


@pytest.fixture
def options(ministack_endpoint: str, new_bucket: Callable[[str], str]) -> S3Options:
    return s3_options(ministack_endpoint, new_bucket(ministack_endpoint))


@pytest.fixture
def online(tmp_path: Path, options: S3Options) -> Iterator[Sharer]:
    """One whose store is a bucket on a server that checks links."""
    clock = ManualClock(datetime.now(UTC))
    with opened(tmp_path / "one", S3Store(options), clock, store=options) as sharer:
        yield sharer


def csv_draft(write: Callable[[Path, Progress], int] | None = None) -> Draft:
    def write_csv(folder: Path, progress: Progress) -> int:
        progress(0.5, "Writing")
        (folder / "slate.csv").write_bytes(CSV)
        return 1

    return Draft(View.SLATE, "Tonight", Format.CSV, "slate.csv", write or write_csv)


def partitions() -> Draft:
    def write(folder: Path, progress: Progress) -> int:
        for number, month in enumerate(MONTHS, start=1):
            (folder / month).mkdir(parents=True)
            rows = pa.table({"player_id": pa.array([number, 7], pa.int64())})
            pq.write_table(rows, folder / month / "part-0.parquet")
        return 4

    return Draft(View.HISTORY, "All predictions", Format.PARTITIONS, "", write)


# Made ---------------------------------------------------------------------------------------------


def test_an_export_is_stored_and_catalogued(one: Sharer, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    made = one.sharing.make(
        OWNER, csv_draft(), keep_days=7, progress=lambda share, words: told.append((share, words))
    )
    assert one.rows() == [made]
    assert made == Export(
        export_id=made.export_id,
        view="slate",
        title="Tonight",
        format="csv",
        file_name="slate.csv",
        place=made.place,
        made_at=one.clock.now,
        expires_at=one.clock.now + WEEK,
        file_count=1,
        row_count=1,
        size_bytes=len(CSV),
    )
    assert one.objects() == [f"exports/{made.export_id}/slate.csv"]
    assert one.store.get(one.objects()[0]).body == CSV
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[0][1] == "Writing"
    assert told[-1] == (1.0, "Storing the file")
    assert one.machine.replica.status().pending_transactions == 0, "others know of it"
    assert not list((tmp_path / "one").glob("nba-daily-work-*")), "nothing is left on the disk"


def test_a_tree_of_partitions_is_stored_as_it_is(one: Sharer, tmp_path: Path) -> None:
    made = one.sharing.make(OWNER, partitions(), keep_days=90)
    keys = [f"exports/{made.export_id}/{month}/part-0.parquet" for month in MONTHS]
    assert one.objects() == keys
    assert (made.file_count, made.row_count) == (2, 4)
    assert made.size_bytes == sum(info.size_bytes for info in one.store.list("exports/"))
    # What a program that knows Hive partitions reads in place.
    below = tmp_path / "store" / "exports" / made.export_id
    read = duckdb.sql(
        f"SELECT season, count(*) FROM read_parquet('{below}/**/*.parquet',"
        " hive_partitioning = true) GROUP BY ALL ORDER BY 1"
    )
    assert read.fetchall() == [("2024-25", 2), ("2025-26", 2)]


def test_a_large_file_tells_how_far_it_is_sent(online: Sharer) -> None:
    def write(folder: Path, progress: Progress) -> int:
        (folder / "slate.csv").write_bytes(bytes(8 << 20))
        return 1

    told: list[float] = []
    made = online.sharing.make(
        OWNER, csv_draft(write), keep_days=7, progress=lambda share, words: told.append(share)
    )
    assert made.size_bytes == 8 << 20
    assert told == sorted(told)
    assert 8 < len(told) < 110, "on its way, and not a word for each block"
    assert told[-1] == 1.0


def test_whoever_leaves_while_it_is_sent_leaves_nothing(online: Sharer) -> None:
    def write(folder: Path, progress: Progress) -> int:
        (folder / "slate.csv").write_bytes(bytes(8 << 20))
        return 1

    def stop(share: float, words: str) -> None:
        if share > 0.8:
            raise StoppedPage

    with pytest.raises(StoppedPage):
        online.sharing.make(OWNER, csv_draft(write), keep_days=7, progress=stop)
    assert (online.rows(), online.objects()) == ([], [])
    assert online.sharing.make(OWNER, csv_draft(), keep_days=7) in online.rows()


class StoppedPage(BaseException):
    """What ends a page's run: no Exception."""


@pytest.mark.parametrize("failure", [DiskFull("write", "x"), StoppedPage(), OSError(28, "full")])
def test_what_is_broken_off_leaves_nothing(one: Sharer, failure: BaseException) -> None:
    def write(folder: Path, progress: Progress) -> int:
        (folder / "slate.csv").write_bytes(CSV)
        raise failure

    expected = DiskFull if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        one.sharing.make(OWNER, csv_draft(write), keep_days=7)
    assert (one.rows(), one.objects()) == ([], [])
    assert one.sharing.make(OWNER, csv_draft(), keep_days=7) in one.rows(), "and keeps nobody out"


def test_an_upload_that_breaks_off_takes_back_what_was_stored(one: Sharer) -> None:
    assert isinstance(one.store, FailingStore)
    one.store.refused["put"] = MONTHS[1]
    with pytest.raises(StoreUnreachable, match="2025-26"):
        one.sharing.make(OWNER, partitions(), keep_days=7)
    assert (one.rows(), one.objects()) == ([], [])

    def stop(share: float, words: str) -> None:
        if share > 0.8:
            raise StoppedPage

    one.store.refused.clear()
    with pytest.raises(StoppedPage):
        one.sharing.make(OWNER, partitions(), keep_days=7, progress=stop)
    assert (one.rows(), one.objects()) == ([], [])


def test_one_export_at_a_time(one: Sharer) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def write(folder: Path, progress: Progress) -> int:
        begun.set()
        assert may_end.wait(30)
        (folder / "slate.csv").write_bytes(CSV)
        return 1

    first = threading.Thread(
        target=one.sharing.make, args=(OWNER, csv_draft(write)), kwargs={"keep_days": 7}
    )
    first.start()
    assert begun.wait(30)
    with pytest.raises(ExportUnderWay, match="Try again when it is done"):
        one.sharing.make(OWNER, csv_draft(), keep_days=7)
    may_end.set()
    first.join(30)
    assert len(one.rows()) == 1


def test_drafts_that_do_not_do_what_they_say_are_defects(one: Sharer) -> None:
    def write(folder: Path, progress: Progress) -> int:
        (folder / "other.csv").write_bytes(CSV)
        return 1

    def write_more(folder: Path, progress: Progress) -> int:
        (folder / "README").write_bytes(b"")
        (folder / "slate.csv").write_bytes(CSV)
        return 1

    with pytest.raises(ValueError, match=r"other\.csv"):
        one.sharing.make(OWNER, csv_draft(write), keep_days=7)
    with pytest.raises(ValueError, match="README"):
        one.sharing.make(OWNER, csv_draft(write_more), keep_days=7)
    with pytest.raises(ValueError, match="8"):
        one.sharing.make(OWNER, csv_draft(), keep_days=8)
    for name in ("", "a/b.csv", "../b.csv", "dončić.csv", 'a".csv', ".csv"):
        with pytest.raises(ValueError, match="file"):
            Draft(View.SLATE, "Tonight", Format.CSV, name, write)
    with pytest.raises(ValueError, match="partitions"):
        Draft(View.HISTORY, "All", Format.PARTITIONS, "a.parquet", write)


def test_sharing_is_the_owners(one: Sharer, tmp_path: Path) -> None:
    sharing = one.sharing
    for refused in (
        lambda: sharing.make(VISITOR, csv_draft(), keep_days=7),
        lambda: sharing.exports(VISITOR),
        lambda: sharing.link(VISITOR, "x", HOUR),
        lambda: sharing.links(VISITOR, "x", HOUR),
        lambda: sharing.size(VISITOR, "x"),
        lambda: sharing.download(VISITOR, "x", tmp_path),
        lambda: sharing.revoke(VISITOR, "x"),
    ):
        with pytest.raises(NotPermitted):
            refused()


# Links --------------------------------------------------------------------------------------------


def test_a_link_downloads_and_ends_when_it_is_revoked(online: Sharer, options: S3Options) -> None:
    made = online.sharing.make(OWNER, csv_draft(), keep_days=7)
    link = online.sharing.link(OWNER, made.export_id, 6 * HOUR)
    assert (link.path, link.limited_by, link.public_address) == ("slate.csv", "", "")
    assert link.address not in repr(link), "whoever reads a log must not be able to read the file"
    assert link.ends_at - online.sharing.now() == 6 * HOUR
    status, headers, body = fetched(link.address)
    assert (status, body) == (200, CSV)
    assert headers["Content-Disposition"] == 'attachment; filename="slate.csv"'
    [row] = online.rows()
    assert (row.links_until, row.standing(online.sharing.now())) == (link.ends_at, Standing.SHARED)
    # A shorter one besides changes nothing.
    online.sharing.link(OWNER, made.export_id, HOUR)
    assert online.rows() == [row]
    assert row.standing(link.ends_at) is Standing.KEPT

    revoked = online.sharing.revoke(OWNER, made.export_id)
    assert revoked.standing(online.sharing.now()) is Standing.REVOKED
    assert fetched(link.address)[0] == 404
    assert online.objects() == []
    assert online.sharing.revoke(OWNER, made.export_id) == revoked, "once more is fine"
    for denied in (
        lambda: online.sharing.link(OWNER, made.export_id, HOUR),
        lambda: online.sharing.download(OWNER, made.export_id, Path()),
    ):
        with pytest.raises(ExportEnded, match="was revoked"):
            denied()


def test_a_link_never_outlives_its_export(online: Sharer) -> None:
    made = online.sharing.make(OWNER, csv_draft(), keep_days=7)
    online.clock.advance(days=6)
    link = online.sharing.link(OWNER, made.export_id, 3 * DAY)
    assert link.ends_at == made.expires_at
    assert "ends with the export" in link.limited_by
    seconds = int(link.address.partition("X-Amz-Expires=")[2].partition("&")[0])
    assert DAY - timedelta(seconds=5) < timedelta(seconds=seconds) <= DAY
    online.clock.now = made.expires_at - timedelta(seconds=30)
    with pytest.raises(NotShareable, match="within a minute"):
        online.sharing.link(OWNER, made.export_id, HOUR)
    online.clock.advance(minutes=1)
    with pytest.raises(ExportEnded, match="has expired"):
        online.sharing.link(OWNER, made.export_id, HOUR)


def test_a_clock_that_is_wrong_does_not_lengthen_a_link(
    online: Sharer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed is this machine's time; the store goes by its own."""
    made = online.sharing.make(OWNER, csv_draft(), keep_days=7)
    # The store's clock is ten minutes behind.
    monkeypatch.setattr(S3Store, "clock_offset_seconds", -600.0)
    link = online.sharing.link(OWNER, made.export_id, HOUR)
    seconds = int(link.address.partition("X-Amz-Expires=")[2].partition("&")[0])
    assert 2990 <= seconds <= 3000
    assert link.ends_at == online.clock.now - timedelta(minutes=10) + HOUR


def test_a_week_is_the_longest_by_the_clock_that_signs(
    online: Sharer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 counts a link's time from the moment that is signed into it."""
    made = online.sharing.make(OWNER, csv_draft(), keep_days=30)
    # This machine's clock is ten minutes behind.
    monkeypatch.setattr(S3Store, "clock_offset_seconds", 600.0)
    link = online.sharing.link(OWNER, made.export_id, WEEK)
    assert link.ends_at == online.clock.now + WEEK
    assert "clock is behind" in link.limited_by
    assert online.sharing.link(OWNER, made.export_id, DAY).limited_by == ""


def test_a_session_token_of_unknown_end_gives_an_hour_and_says_so(
    tmp_path: Path, options: S3Options
) -> None:
    clock = ManualClock(datetime.now(UTC))
    temporary = replace(options, session_token="token")
    with opened(tmp_path / "one", S3Store(options), clock, store=temporary) as sharer:
        made = sharer.sharing.make(OWNER, csv_draft(), keep_days=7)
        link = sharer.sharing.link(OWNER, made.export_id, WEEK)
        assert link.ends_at - sharer.sharing.now() == HOUR
        assert "an hour at most" in link.limited_by
        assert "session token" in link.limited_by
        # No shorter than was asked for, and it may end all the same.
        link = sharer.sharing.link(OWNER, made.export_id, HOUR)
        assert link.limited_by.startswith("It may end earlier")


def test_a_link_never_outlives_the_credentials(
    online: Sharer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = online.sharing.make(OWNER, csv_draft(), keep_days=7)
    life = "replica.stores.s3_links.S3Links.credentials_life"
    from replica.stores.s3_links import CredentialsLife

    monkeypatch.setattr(life, lambda self: CredentialsLife(True, 2 * HOUR))
    link = online.sharing.link(OWNER, made.export_id, WEEK)
    ahead = timedelta(seconds=online.machine.replica.status().clock_offset_seconds or 0.0)
    assert link.ends_at == online.clock.now + 2 * HOUR
    assert abs(ahead) < timedelta(minutes=1)
    assert "present credentials" in link.limited_by
    assert online.sharing.link(OWNER, made.export_id, HOUR).limited_by == ""
    monkeypatch.setattr(life, lambda self: CredentialsLife(True, timedelta(seconds=20)))
    with pytest.raises(NotShareable, match="renew the app's credentials"):
        online.sharing.link(OWNER, made.export_id, HOUR)


def test_other_times_than_an_hour_to_a_week_are_refused(online: Sharer) -> None:
    for lasts in (timedelta(minutes=59), WEEK + timedelta(seconds=1)):
        with pytest.raises(ValueError, match="lasts from"):
            online.sharing.link(OWNER, "any", lasts)


def test_each_file_of_a_tree_has_a_link(online: Sharer, tmp_path: Path) -> None:
    made = online.sharing.make(OWNER, partitions(), keep_days=30)
    links = online.sharing.links(OWNER, made.export_id, WEEK)
    assert [link.path for link in links] == [f"{month}/part-0.parquet" for month in MONTHS]
    assert {fetched(link.address)[2][:4] for link in links} == {b"PAR1"}
    with pytest.raises(NotShareable, match="2 files"):
        online.sharing.link(OWNER, made.export_id, WEEK)
    query = duckdb_query(links)
    assert all(link.address in query for link in links)

    # DuckDB's way to the web is an extension that is not here: the same query reads local copies.
    archive = online.sharing.download(OWNER, made.export_id, tmp_path)
    assert archive.name == "history.zip"
    with zipfile.ZipFile(archive) as opened_archive:
        opened_archive.extractall(tmp_path / "un'zipped")
    local = [Link(one.path, f"{tmp_path}/un'zipped/{one.path}", one.ends_at) for one in links]
    rows = duckdb.sql(duckdb_query(local)).order("season, player_id").fetchall()
    assert rows == [
        (1, "2024-25", "2025-01"),
        (7, "2024-25", "2025-01"),
        (2, "2025-26", "2025-11"),
        (7, "2025-26", "2025-11"),
    ]


def test_a_folder_has_no_links_and_is_downloaded_from(one: Sharer, tmp_path: Path) -> None:
    assert not one.sharing.gives_links
    made = one.sharing.make(OWNER, csv_draft(), keep_days=7)
    with pytest.raises(NotShareable, match="Download the file and hand it on"):
        one.sharing.link(OWNER, made.export_id, HOUR)
    path = one.sharing.download(OWNER, made.export_id, tmp_path)
    assert (path.name, path.read_bytes()) == ("slate.csv", CSV)
    with pytest.raises(UnknownExport, match="nothing"):
        one.sharing.link(OWNER, "nothing", HOUR)


def test_exports_have_a_bucket_of_their_own_and_a_public_address(
    tmp_path: Path, options: S3Options, ministack_endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    other = new_bucket(ministack_endpoint)
    changes = {
        "store": options,
        "export_bucket": other,
        "exports": ExportSettings("https://d1.cloudfront.net"),
    }
    clock = ManualClock(datetime.now(UTC))
    with opened(tmp_path / "one", S3Store(options), clock, **changes) as sharer:
        made = sharer.sharing.make(OWNER, partitions(), keep_days=7)
        there = S3Store(replace(options, bucket=other))
        assert (len(there.list("exports/")), sharer.objects()) == (2, [])
        link, _ = sharer.sharing.links(OWNER, made.export_id, DAY)
        assert fetched(link.address)[0] == 200
        assert f"/{other}/predictions/exports/" in link.address
        below = "https://d1.cloudfront.net/exports/" + made.export_id
        assert link.public_address == f"{below}/season%3D2024-25/month%3D2025-01/part-0.parquet"
        # Another app may share into the same bucket: what has no row here may have one there.
        there.put(STRAY, b"x", PutMode.CREATE)
        clock.advance(days=30)
        sharer.sharing.tidy_up()
        assert [info.key for info in there.list("exports/")] == [STRAY]
        clock.advance(days=62)
        sharer.sharing.tidy_up()
        assert there.list("exports/") == []
    # The public address is in front of that bucket only.
    del changes["export_bucket"]
    with opened(tmp_path / "two", S3Store(options), clock, **changes) as sharer:
        made = sharer.sharing.make(OWNER, csv_draft(), keep_days=7)
        assert sharer.sharing.link(OWNER, made.export_id, DAY).public_address == ""


# Taken back, and removed --------------------------------------------------------------------------


def test_what_cannot_be_deleted_is_said_and_tried_again(one: Sharer) -> None:
    assert isinstance(one.store, FailingStore)
    made = one.sharing.make(OWNER, partitions(), keep_days=7)
    one.store.refused["delete"] = MONTHS[1]
    with pytest.raises(AccessDenied, match="s3:DeleteObject"):
        one.sharing.revoke(OWNER, made.export_id)
    [row] = one.rows()
    assert row.standing(one.clock.now) is Standing.REVOKING
    assert len(one.objects()) == 1
    with pytest.raises(AccessDenied):
        one.sharing.tidy_up()
    one.store.refused.clear()
    one.sharing.tidy_up()
    [row] = one.rows()
    assert (row.standing(one.clock.now), one.objects()) == (Standing.REVOKED, [])


def test_expired_exports_are_removed_and_at_last_forgotten(one: Sharer) -> None:
    short = one.sharing.make(OWNER, csv_draft(), keep_days=7)
    long = one.sharing.make(OWNER, csv_draft(), keep_days=30)
    one.sharing.tidy_up()
    assert len(one.objects()) == 2
    one.clock.advance(days=7)
    [row] = [row for row in one.rows() if row.export_id == short.export_id]
    assert row.standing(one.clock.now) is Standing.EXPIRED
    one.sharing.tidy_up()
    assert one.objects() == [f"exports/{long.export_id}/slate.csv"]
    gone = next(row for row in one.rows() if row.export_id == short.export_id)
    assert gone.removed_at == one.clock.now
    one.clock.advance(days=91)
    one.sharing.tidy_up()
    assert [row.export_id for row in one.rows()] == [long.export_id]


def test_what_a_crash_left_is_removed_after_a_day(one: Sharer) -> None:
    made = one.sharing.make(OWNER, csv_draft(), keep_days=30)
    kept = ["exports/for a person.txt", "exports/notes/a.csv"]
    for key in (STRAY, *kept):
        one.store.put(key, b"x", PutMode.CREATE)
    one.clock.advance(hours=23)
    one.sharing.tidy_up()
    assert STRAY in one.objects(), "its machine may just be about to write the row"
    one.clock.advance(hours=25)
    one.sharing.tidy_up()
    assert sorted(one.objects()) == sorted([f"exports/{made.export_id}/slate.csv", *kept])


def test_without_exports_nothing_is_asked(one: Sharer) -> None:
    assert isinstance(one.store, FailingStore)
    one.store.listed.clear()
    for _ in range(3):
        one.sharing.tidy_up()
        one.clock.advance(days=2)
    assert one.store.listed == []
    one.sharing.make(OWNER, csv_draft(), keep_days=90)
    for _ in range(5):
        one.sharing.tidy_up()
    asked = [prefix for prefix in one.store.listed if prefix != "log/"]
    assert asked == ["exports/"], "once a day is enough"


def test_another_machines_exports_are_not_left_over(
    one: Sharer, tmp_path: Path, clock: ManualClock
) -> None:
    with opened(tmp_path / "two", FolderStore(tmp_path / "store"), clock) as two:
        one.sharing.make(OWNER, csv_draft(), keep_days=7)
        theirs = two.sharing.make(OWNER, csv_draft(), keep_days=90)
        clock.advance(days=2)
        # It has not caught up since.
        assert theirs not in one.rows()
        one.sharing.tidy_up()
        assert theirs in one.rows()
        assert len(one.objects()) == 2
        # What one revokes is revoked for the other.
        one.sharing.revoke(OWNER, theirs.export_id)
        two.machine.replica.sync_now()
        [row] = [row for row in two.rows() if row.export_id == theirs.export_id]
        assert row.standing(clock.now) is Standing.REVOKED


def test_an_export_of_another_bucket_is_never_said_to_be_gone(
    tmp_path: Path, options: S3Options, ministack_endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    """S3_EXPORT_BUCKET was changed since: what is there is out of reach, and its links work."""
    first, second = new_bucket(ministack_endpoint), new_bucket(ministack_endpoint)
    clock = ManualClock(datetime.now(UTC))
    store = S3Store(options)
    with opened(tmp_path / "a", store, clock, store=options, export_bucket=first) as sharer:
        made = sharer.sharing.make(OWNER, csv_draft(), keep_days=30)
        short = sharer.sharing.make(OWNER, csv_draft(), keep_days=7)
        link = sharer.sharing.link(OWNER, made.export_id, WEEK)
        with sharer.machine.replica.read() as connection:
            rows = connection.execute("SELECT * FROM s3_exports").fetchall()
        assert first not in repr(rows), "names never come into the log"
    with opened(tmp_path / "b", store, clock, store=options, export_bucket=second) as sharer:
        here = sharer.sharing.make(OWNER, csv_draft(), keep_days=7)
        for refused in (
            lambda: sharer.sharing.link(OWNER, made.export_id, HOUR),
            lambda: sharer.sharing.size(OWNER, made.export_id),
            lambda: sharer.sharing.download(OWNER, made.export_id, tmp_path),
            lambda: sharer.sharing.revoke(OWNER, made.export_id),
        ):
            with pytest.raises(ExportElsewhere, match="Set S3_EXPORT_BUCKET as it was"):
                refused()
        assert fetched(link.address)[0] == 200
        clock.advance(days=8)
        with pytest.raises(ExportElsewhere, match="another bucket"):
            sharer.sharing.tidy_up()
        rows_now = {row.export_id: row for row in sharer.rows()}
        assert rows_now[here.export_id].removed_at is not None
        assert rows_now[made.export_id].standing(clock.now) is Standing.REVOKING
        assert rows_now[short.export_id].removed_at is None
        sharer.machine.replica.sync_now()
    with opened(tmp_path / "c", store, clock, store=options, export_bucket=first) as sharer:
        sharer.sharing.tidy_up()
        assert {row.removed_at is None for row in sharer.rows()} == {False}
        assert fetched(link.address)[0] == 404
        lost = sharer.sharing.make(OWNER, csv_draft(), keep_days=7)
    # Where it stays out of reach, the bucket's own rules have removed it at last.
    with opened(tmp_path / "d", store, clock, store=options, export_bucket=second) as sharer:
        clock.advance(days=96)
        with pytest.raises(ExportElsewhere):
            sharer.sharing.tidy_up()
        assert lost.export_id in [row.export_id for row in sharer.rows()]
        clock.advance(days=2)
        with pytest.raises(ExportElsewhere):
            sharer.sharing.tidy_up()
        assert sharer.rows() == []
        sharer.sharing.tidy_up()


def test_one_that_cannot_be_deleted_keeps_no_other(one: Sharer) -> None:
    assert isinstance(one.store, FailingStore)
    made = [one.sharing.make(OWNER, csv_draft(), keep_days=7).export_id for _ in range(2)]
    # The first whose turn it is.
    stuck, other = sorted(made)
    one.clock.advance(days=8)
    one.store.refused["delete"] = stuck
    with pytest.raises(AccessDenied, match=stuck):
        one.sharing.tidy_up()
    assert one.objects() == [f"exports/{stuck}/slate.csv"]
    assert {row.export_id: row.removed_at is None for row in one.rows()} == {
        stuck: True,
        other: False,
    }
    # The same for what broken-off ones have left, or what came after its row was closed.
    one.store.refused["delete"] = STRAY
    late = f"exports/{other}/late.csv"
    for key in (STRAY, late):
        one.store.put(key, b"x", PutMode.CREATE)
    one.clock.advance(days=2)
    with pytest.raises(AccessDenied, match=STRAY):
        one.sharing.tidy_up()
    assert one.objects() == [STRAY]
    one.store.refused.clear()
    one.sharing.tidy_up()
    assert one.objects() == []


def test_settings_of_a_folder_pass_over_an_export_bucket(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = FolderStore(tmp_path / "store")
    changes = {"store": FolderSettings(tmp_path / "store"), "export_bucket": "other"}
    with opened(tmp_path / "one", store, clock, **changes) as sharer:
        sharer.sharing.make(OWNER, csv_draft(), keep_days=7)
        assert len(sharer.objects()) == 1


def test_the_app_removes_expired_exports_by_itself_and_says_what_fails(
    tmp_path: Path,
    reference_path: Path,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_for(tmp_path / "state", reference_path, tmp_path / "store")

    def refuse(store: FolderStore, key: str) -> None:
        raise AccessDenied("delete", key, "s3:DeleteObject")

    with running(settings, clock, ticks=False) as application:
        made = application.sharing.make(OWNER, csv_draft(), keep_days=7)
        [path] = (tmp_path / "store" / "exports" / made.export_id).iterdir()
        clock.advance(days=8)
        with monkeypatch.context() as patched:
            patched.setattr(FolderStore, "delete", refuse)
            application.safekeeping.run()
        assert isinstance(application.saved_state().job_error, AccessDenied)
        assert path.exists()
        application.safekeeping.run()
        assert application.saved_state().job_error is None
        assert not path.exists()
        assert application.sharing.exports(OWNER)[0].removed_at is not None


def test_the_daily_job_removes_what_is_over_while_the_app_sleeps(
    tmp_path: Path, reference_path: Path, clock: ManualClock
) -> None:
    """A public address lives as long as its object."""
    settings = settings_for(tmp_path / "state", reference_path, tmp_path / "store")
    with running(settings, clock, ticks=False) as application:
        made = application.sharing.make(OWNER, csv_draft(), keep_days=7)
        clock.advance(days=8)
        application.daily(OWNER, lambda share, words: None)
        assert application.sharing.exports(OWNER)[0].removed_at is not None
        assert not list((tmp_path / "store" / "exports").rglob("slate.csv"))
        again = application.daily(OWNER, lambda share, words: None)
        assert (again.snapshot, made.export_id) == (False, made.export_id)
