"""The journey the app exists for: the disk is wiped, and every prediction comes back."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from replica import ObjectStore
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options, S3Store
from tests.app_process import clone, running_app, wait_for, wait_for_entry

NOW = "2026-11-20T18:00:00+00:00"
STATE_TABLES = ("runs", "run_transactions", "game_predictions", "predictions", "players")


def rows_hash(database: Path) -> str:
    """One hash of every row that people care about."""
    digest = hashlib.sha256()
    with closing(apsw.Connection(str(database), apsw.SQLITE_OPEN_READONLY)) as connection:
        for table in STATE_TABLES:
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            digest.update(f"{table} {len(rows)} {sorted(map(repr, rows))}".encode())
    return digest.hexdigest()


def count_predictions(database: Path) -> int:
    with closing(apsw.Connection(str(database), apsw.SQLITE_OPEN_READONLY)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM predictions")
    return int(count)


@pytest.fixture(
    params=[
        pytest.param("folder", marks=pytest.mark.soak),
        "moto",
        pytest.param("ministack", marks=pytest.mark.soak),
    ]
)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Callable[[str], str]
) -> tuple[dict[str, str], ObjectStore]:
    """Environment variables that lead the app to a fresh store, and that store."""
    if request.param == "folder":
        folder = tmp_path / "store"
        folder.mkdir()
        folder.chmod(0o777)
        return {"NBA_DAILY_STORE_DIR": str(folder)}, FolderStore(folder)
    endpoint = request.getfixturevalue(f"{request.param}_endpoint")
    bucket = new_bucket(endpoint)
    environment = {
        "S3_BACKUP_BUCKET": bucket,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL_S3": endpoint,
    }
    store = S3Store(
        S3Options(
            bucket=bucket,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",
            endpoint_url=endpoint,
        )
    )
    return environment, store


def test_everything_is_back_after_sigkill_and_a_deleted_checkout(
    place: tuple[dict[str, str], ObjectStore],
    tmp_path: Path,
    reference_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    environment, store = place
    arguments = ("--local-owner", "--now", NOW)
    first = clone(tmp_path / "first checkout")
    with running_app(
        first, tmp_path / "first.log", environment=environment, arguments=arguments
    ) as app:
        wait_for_entry(store, 2, app.log)
        app.kill()
        shutil.copytree(app.state_folder, tmp_path / "kept")
    [kept] = (tmp_path / "kept").rglob("nba_stats.db")
    before = rows_hash(kept)
    assert count_predictions(kept) > 500, "tonight's slate was logged without a click"
    shutil.rmtree(first)

    second = clone(tmp_path / "second")
    if "folder" not in request.node.name:
        # Building the reference is shown once, with the folder; here it only takes time.
        (second / ".state").mkdir()
        (second / ".state").chmod(0o777)
        shutil.copy(reference_path, second / ".state" / "reference.db")
    with running_app(
        second,
        tmp_path / "second.log",
        environment=environment,
        arguments=arguments,
        as_another_user=True,
    ) as app:
        [restored] = wait_for(
            lambda: list(app.state_folder.rglob("nba_stats.db")),
            what="the restored database",
            log=app.log,
        )
        app.terminate()
    assert rows_hash(restored) == before
    # Of a bucket it says in the end what it has used; nothing was logged twice.
    own_row = 0 if "folder" in request.node.name else 1
    assert len(store.list("log/")) == 2 + own_row
