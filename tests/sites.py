"""The app as a running site: a clone with past seasons built already, its store in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from replica.stores.folder import FolderStore
from tests.app_process import AppProcess, clone, running_app

__all__ = ["NOW", "Site", "bucket_secrets", "running_site", "write_secrets"]

NOW = "2026-11-20T18:00:00+00:00"
OWNER = ("--local-owner", "--now", NOW)


@dataclass(frozen=True, slots=True)
class Site:
    """A running app.

    Attributes:
        app: its process.
        checkout: where its code is.
        store_folder: where it keeps its state, unless its settings name a bucket.
    """

    app: AppProcess
    checkout: Path
    store_folder: Path

    @property
    def url(self) -> str:
        return self.app.url

    @property
    def store(self) -> FolderStore:
        return FolderStore(self.store_folder)


@contextmanager
def running_site(
    folder: Path,
    reference: Path | None,
    *,
    arguments: Sequence[str] = OWNER,
    environment: Mapping[str, str] | None = None,
    secrets: str | None = None,
    data_folder: Path | None = None,
    stored: Path | None = None,
) -> Iterator[Site]:
    """Serve a clone below `folder` until the block ends.

    `reference` is a built file of past seasons to start with, None leaves the building to the app.
    `secrets` becomes the clone's secrets.toml. `arguments` make the visitor the owner unless told
    otherwise. `data_folder` stands in for the bundled seasons. The store begins as a copy of the
    folder `stored`, with the times of its objects.
    """
    checkout = clone(folder / "checkout")
    if data_folder is not None:
        shutil.rmtree(checkout / "data")
        shutil.copytree(data_folder, checkout / "data")
    if secrets is not None:
        write_secrets(checkout, secrets)
    state, store = folder / "state", folder / "store"
    state.mkdir()
    if stored is None:
        store.mkdir()
    else:
        shutil.copytree(stored, store)
    if reference is not None:
        shutil.copy(reference, state / "reference.db")
    paths = {"NBA_DAILY_STATE_DIR": str(state), "NBA_DAILY_STORE_DIR": str(store)}
    with running_app(
        checkout,
        folder / "app.log",
        environment={**paths, **(environment or {})},
        arguments=arguments,
    ) as app:
        yield Site(app, checkout, store)
        # Ended as a platform does it, so that a failure to end shows.
        app.terminate()


def write_secrets(checkout: Path, text: str) -> None:
    """Put the secrets in place whole, as pasting them does."""
    path = checkout / ".streamlit" / "secrets.toml"
    partial = path.with_suffix(".new")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def bucket_secrets(endpoint_url: str, bucket: str) -> str:
    """An [aws] table that leads to a bucket of a server of the tests."""
    return "\n".join(
        [
            "[aws]",
            'access_key_id = "test"',
            'secret_access_key = "test"',
            f'bucket_name = "{bucket}"',
            'region = "us-east-1"',
            f'endpoint_url = "{endpoint_url}"',
            "",
        ]
    )
