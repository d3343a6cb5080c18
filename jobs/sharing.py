"""Exports: made, shared by links that end, taken back, and removed when their time is over.

An export lies below `exports/<export_id>/` in the store, its row in the catalogue. A link is an
address that the store itself checks; nobody needs to sign in, so whoever has it can read until it
ends, or until the export's objects are gone.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

from exports.draft import Draft, Format, Progress
from jobs import export_removal, export_store
from jobs.authority import Actor, require_owner
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.export_links import SHORTEST_LINK, Link, duckdb_query, end_of
from jobs.export_reports import (
    ExportElsewhere,
    ExportEnded,
    ExportUnderWay,
    NotShareable,
    UnknownExport,
)
from jobs.side_stores import side_options, side_store
from jobs.state import State
from jobs.work_folders import work_folder
from replica import ObjectStore, ReplicaError, StoreError, local_faults
from replica.stores.s3 import S3Options
from replica.stores.s3_links import LONGEST_LINK, S3Links
from tracking.export_catalogue import (
    Export,
    Standing,
    exports,
    note_links_until,
    note_revoked,
    write_export,
)

__all__ = [
    "KEEP_DAYS",
    "LONGEST_LINK",
    "SHORTEST_LINK",
    "Export",
    "ExportElsewhere",
    "ExportEnded",
    "ExportUnderWay",
    "Link",
    "NotShareable",
    "Sharing",
    "Standing",
    "UnknownExport",
    "duckdb_query",
]

KEEP_DAYS: Final = (7, 30, 90)
"""How long an export can be kept, in days."""

# What is left of a link that is not worth giving.
_TOO_SHORT: Final = timedelta(minutes=1)
# The making's share of the progress; the rest is the upload's.
_WRITTEN: Final = 0.7
_LOOKS_EVERY: Final = timedelta(days=1)
# In a bucket of its own other apps may keep exports too, whose rows are not here: nothing is taken
# for left over there before the longest time that an export is kept.
_OTHERS_KEEP: Final = timedelta(days=max(KEEP_DAYS) + 1)


class Sharing:
    """The exports of one open state. Any thread may use it.

    `state` gives the open state for an operation in words, or raises NotReady. Every method may
    raise that and a ReplicaError; those with an `actor` NotPermitted too.
    """

    def __init__(self, settings: Settings, clock: Clock, state: Callable[[str], State]) -> None:
        self._settings = settings
        self._clock = clock
        self._state = state
        self._making = threading.Lock()
        self._removing = threading.Lock()
        self._opening = threading.Lock()
        self._store: ObjectStore | None = None
        self._links: S3Links | None = None
        self._may_have_left_some = False
        self._looked_at: datetime | None = None

    @property
    def gives_links(self) -> bool:
        """Whether the store has links; a folder has none, and exports are downloaded."""
        return isinstance(self._settings.store, S3Options)

    def now(self) -> datetime:
        """The store's time, in UTC, by which exports and links end. Raises NotReady."""
        return self._now(self._state("tell the time"))

    # What the owner does ------------------------------------------------------------------------

    def make(
        self,
        actor: Actor,
        draft: Draft,
        *,
        keep_days: int,
        progress: Progress = lambda share, words: None,
    ) -> Export:
        """Write an export, store it, and put it into the catalogue; `keep_days` is of KEEP_DAYS.

        Nothing of it is ever whole in memory. What fails, or is broken off, leaves neither a row
        nor an object. Raises ExportUnderWay, NotShareable, LocalError, what `draft.write` raises,
        and ValueError for other days or a draft that does not write what it says.
        """
        self._require_owner(actor, "share an export")
        if keep_days not in KEEP_DAYS:
            raise ValueError(f"an export is kept for one of {KEEP_DAYS} days, not for {keep_days}")
        state = self._state("share an export")
        if not self._making.acquire(blocking=False):
            raise ExportUnderWay(
                "share an export",
                draft.title,
                "Another export is being made.",
                "Try again when it is done.",
            )
        try:
            export = self._make(state, draft, timedelta(days=keep_days), progress)
        finally:
            self._making.release()
        _publish(state)
        return export

    def exports(self, actor: Actor) -> list[Export]:
        """The catalogue, the newest first, with what has ended in the last months; no request."""
        self._require_owner(actor, "list the exports")
        return _catalogue(self._state("list the exports"))

    def link(self, actor: Actor, export_id: str, lasts: timedelta) -> Link:
        """A link to an export that is one file. Raises as `links` does."""
        links = self.links(actor, export_id, lasts)
        if len(links) != 1:
            raise NotShareable(
                "make a link to",
                export_id,
                f"The export has {len(links)} files.",
                "Make one link for each.",
            )
        return links[0]

    def links(self, actor: Actor, export_id: str, lasts: timedelta) -> tuple[Link, ...]:
        """A link to each file of an export, in the order of their paths.

        `lasts` is from SHORTEST_LINK to LONGEST_LINK, else ValueError. No link outlives the export
        or the credentials that sign it; each says what limits it. Where it is not known how long
        the credentials are good for, it is given for an hour at most. Raises UnknownExport,
        ExportEnded, ExportElsewhere, NotShareable, InvalidCredentials.
        """
        self._require_owner(actor, "make a link")
        if not SHORTEST_LINK <= lasts <= LONGEST_LINK:
            raise ValueError(f"a link lasts from {SHORTEST_LINK} to {LONGEST_LINK}, not {lasts}")
        state = self._state("make a link")
        export, signer = self._lasting(state, export_id), self._signer(state)
        store = self._store_of(state)
        export_store.require_place(store, export, "make a link")
        paths = export_store.paths_of(store, export)
        now, ahead = self._now(state), self._store_ahead(state)
        ends_at, limited_by = end_of(export, now, lasts, signer.credentials_life(), ahead)
        if ends_at - now < _TOO_SHORT:
            raise NotShareable(
                "make a link to",
                export.title,
                f"It would end within a minute. {limited_by}",
                "Try again in a few minutes; if it stays so, make a new export, or renew the "
                "app's credentials.",
            )
        made = []
        for path in paths:
            address = signer.link(
                export_store.key_of(export.export_id, path),
                # What is signed is this machine's time, and the store goes by its own.
                lasts=ends_at - self._now(state) + ahead,
                media_type=export_store.media_type_of(path),
            )
            public = self._public_address(export, path)
            made.append(Link(path, address, ends_at, limited_by, public))
        if made:
            with state.replica.transaction() as transaction:
                note_links_until(transaction, export.export_id, ends_at)
        return tuple(made)

    def size(self, actor: Actor, export_id: str) -> int:
        """How many bytes there are to download; one request. Raises as `download` does."""
        return export_store.size_of(*self._stored(actor, export_id, "look for an export"))

    def download(self, actor: Actor, export_id: str, folder: Path) -> Path:
        """Write an export into a folder, and say where: its one file, or a ZIP archive of a tree.

        Raises UnknownExport, ExportEnded, ExportElsewhere, ObjectNotFound, LocalError.
        """
        return export_store.save(*self._stored(actor, export_id, "download an export"), folder)

    def revoke(self, actor: Actor, export_id: str) -> Export:
        """Delete an export's objects, which ends every link to them; the row as it is then.

        In a versioned bucket older versions stay until its rules remove them; no link that was
        given here reaches them. What cannot be deleted now is tried again by itself, and the row
        says REVOKING until then. Raises UnknownExport, ExportElsewhere, StoreError.
        """
        self._require_owner(actor, "revoke an export")
        state = self._state("revoke an export")
        with self._removing:
            export = _named(state, export_id)
            if export.removed_at is None:
                with state.replica.transaction() as transaction:
                    note_revoked(transaction, export_id, self._now(state))
                failures = export_removal.remove(
                    state, self._store_of(state), [export], self._now(state)
                )
                if failures:
                    raise failures[0]
            export = _named(state, export_id)
        _publish(state)
        return export

    # What happens by itself ---------------------------------------------------------------------

    def tidy_up(self) -> None:
        """Delete the objects of exports that have ended, and what broken-off ones have left.

        Without exports it asks nothing. Once a day, if there have been any, it lists what is there
        and deletes what no row knows; rows of what ended long ago go too. One that cannot be
        deleted keeps no other. Raises StoreError and ExportElsewhere for the first of those, after
        the others; it is tried again in the next turn.
        """
        state = self._state("tidy up the exports")
        with self._removing:
            now, known, store = self._now(state), _catalogue(state), self._store_of(state)
            doomed = [one for one in known if one.is_to_be_removed(now)]
            failures = export_removal.remove(state, store, doomed, now)
            some_are_gone = len(failures) < len(doomed)
            export_removal.forget(state, store, known, now)
            looks = self._looked_at is None or now - self._looked_at >= _LOOKS_EVERY
            if looks and (known or self._may_have_left_some):
                age = _LOOKS_EVERY if store is state.storage.store else _OTHERS_KEEP
                left = export_removal.remove_left_over(state, store, now - age)
                self._looked_at = self._looked_at if left else now
                failures += left
        if some_are_gone:
            _publish(state)
        if failures:
            raise failures[0]

    def _make(self, state: State, draft: Draft, kept: timedelta, progress: Progress) -> Export:
        place = self._settings.state_folder
        # Where there is a public address, knowing the id is all that it takes to read.
        export_id = str(uuid.uuid4())
        with local_faults("write an export to", place), work_folder(place) as work:
            folder = work / "export"
            folder.mkdir()
            row_count = draft.write(
                folder, lambda share, words: progress(_WRITTEN * min(share, 1.0), words)
            )
            export_store.require_written(draft, folder)
            self._may_have_left_some = True
            words = "Storing the files" if draft.format == Format.PARTITIONS else "Storing the file"
            progress(_WRITTEN, words)
            store = self._store_of(state)
            file_count, size_bytes = export_store.upload(
                store,
                export_id,
                folder,
                lambda share: progress(_WRITTEN + (1 - _WRITTEN) * share, words),
            )
        made_at = self._now(state)
        export = Export(
            export_id=export_id,
            view=draft.view.value,
            title=draft.title,
            format=draft.format.value,
            file_name=draft.file_name,
            place=export_store.place_of(store),
            made_at=made_at,
            expires_at=made_at + kept,
            file_count=file_count,
            row_count=row_count,
            size_bytes=size_bytes,
        )
        try:
            with state.replica.transaction() as transaction:
                write_export(transaction, export)
        except BaseException:
            # What has no row is nobody's; what stays all the same goes a day later.
            with contextlib.suppress(StoreError):
                export_store.remove(store, export)
            raise
        return export

    def _stored(self, actor: Actor, export_id: str, operation: str) -> tuple[ObjectStore, Export]:
        """An export for its owner, and the store that it lies in."""
        self._require_owner(actor, operation)
        state = self._state(operation)
        export, store = self._lasting(state, export_id), self._store_of(state)
        export_store.require_place(store, export, operation)
        return store, export

    def _lasting(self, state: State, export_id: str) -> Export:
        """An export that is still there. Raises UnknownExport, ExportEnded."""
        export = _named(state, export_id)
        standing = export.standing(self._now(state))
        if standing in (Standing.SHARED, Standing.KEPT):
            return export
        how = "has expired" if standing == Standing.EXPIRED else "was revoked"
        raise ExportEnded(
            "open an export", export.title, f"It {how}.", "Make a new one on the page it shows."
        )

    def _public_address(self, export: Export, path: str) -> str:
        address = self._settings.exports.public_address
        # It is only ever in front of a bucket that is for exports alone.
        if address is None or self._settings.export_bucket is None:
            return ""
        return f"{address}/{quote(export_store.key_of(export.export_id, path))}"

    def _store_of(self, state: State) -> ObjectStore:
        with self._opening:
            if self._store is None:
                # Kept, because each makes connections of its own.
                self._store = side_store(
                    self._settings, state.storage.store, self._settings.export_bucket
                )
            return self._store

    def _signer(self, state: State) -> S3Links:
        options = self._settings.store
        if not isinstance(options, S3Options):
            raise NotShareable(
                "make a link",
                state.storage.store.location,
                "A folder has no links.",
                "Download the file and hand it on, or set up a bucket: see S3_SETUP_GUIDE.md.",
            )
        with self._opening:
            if self._links is None:
                self._links = S3Links(side_options(options, self._settings.export_bucket))
            return self._links

    def _now(self, state: State) -> datetime:
        """The store's time: it is the store that ends a link."""
        return self._clock() + self._store_ahead(state)

    def _store_ahead(self, state: State) -> timedelta:
        return timedelta(seconds=state.replica.status().clock_offset_seconds or 0.0)

    def _require_owner(self, actor: Actor, action: str) -> None:
        require_owner(actor, action, self._settings.owner)


def _catalogue(state: State) -> list[Export]:
    with state.replica.read() as connection:
        return exports(connection)


def _named(state: State, export_id: str) -> Export:
    for export in _catalogue(state):
        if export.export_id == export_id:
            return export
    raise UnknownExport(
        "find an export",
        export_id,
        "The catalogue has none with this id.",
        "Choose one of those on the page Sharing.",
    )


def _publish(state: State) -> None:
    # Should that fail, the replica tells, and sends the row later.
    with contextlib.suppress(ReplicaError):
        state.replica.sync_now()
