"""Pictures of players and marks of teams: in memory, on disk, in the bucket, or from their origin.

A page asks and goes on: it gets what is in memory, else nothing, and draws a badge. One thread of
the process then looks on the disk, in the bucket and, last, where the picture comes from. Whatever
it reads is decoded and written anew before anybody sees it, wherever it lay.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import uuid4

from images.decoding import MEDIA_TYPE, Picture, redraw
from images.disk import PicturesOnDisk
from images.errors import (
    AddressRefused,
    CacheUnusable,
    ImageError,
    ImageRejected,
    OriginUnreachable,
)
from images.memory import Held, PicturesInMemory
from images.origin import Network, Origin
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.errors import NotReady
from jobs.picture_counts import PictureCounts, Seen
from jobs.picture_shelf import PictureShelf
from jobs.side_stores import side_store
from jobs.state import State
from replica import ReplicaError, StoreError
from tracking.image_catalogue import (
    StoredImage,
    forget_image_days,
    image_days,
    stored_image,
    write_image_day,
    write_images,
)

__all__ = ["Pictures", "Place"]

_IN_MEMORY_BYTES: Final = 16_000_000
_ON_DISK_BYTES: Final = 64_000_000
# As they are shown, for screens with two pixels where others have one.
_PLAYER_PIXELS: Final = 256
_TEAM_PIXELS: Final = 128
_MOST_WAITING: Final = 200
_MOST_FAILURES: Final = 1000
_MOST_UNWRITTEN: Final = 1000
_NOT_AGAIN_FOR: Final = timedelta(days=1)
_UNREACHABLE_FOR: Final = timedelta(minutes=10)
# After one host did not answer the others are not asked at once either: each waits for seconds.
_REST: Final = timedelta(minutes=1)
_BETWEEN_REQUESTS_SECONDS: Final = 0.1
_END_SECONDS: Final = 0.5
_KEPT: Final = timedelta(days=400)


class Place(enum.StrEnum):
    """What can fail, in the words that people read."""

    DISK = "this machine's disk"
    BUCKET = "the bucket"
    ORIGIN = "where they come from"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One picture: its address, and how large it is kept."""

    address: str
    most_side_pixels: int

    @property
    def image_id(self) -> str:
        return hashlib.sha256(self.address.encode()).hexdigest()


class Pictures:
    """The pictures of one process. Without hosts in the settings it does nothing at all.

    `state` gives the open state for an operation in words, or raises NotReady: until the history is
    here nothing is asked for.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        state: Callable[[str], State],
        *,
        network: Network | None = None,
    ) -> None:
        self._settings = settings
        self._images = settings.images
        self._clock = clock
        self._state = state
        self._origin = Origin(self._images.hosts, network)
        self._memory = PicturesInMemory(_IN_MEMORY_BYTES)
        self._disk = PicturesOnDisk(settings.state_folder / "images", _ON_DISK_BYTES)
        self._counts = PictureCounts(clock)
        self._writer_id = uuid4().hex
        # Guards all below; held for moments only.
        self._lock = threading.Lock()
        self._queue: queue.Queue[_Wanted] = queue.Queue(_MOST_WAITING)
        self._waiting: set[str] = set()
        self._retry_at: OrderedDict[str, datetime] = OrderedDict()
        self._unwritten: dict[str, StoredImage] = {}
        self._problems: dict[Place, Exception] = {}
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        # The thread's own.
        self._rests_until: datetime | None = None
        self._shelf: PictureShelf | None = None

    # What pages ask -----------------------------------------------------------------------------

    @property
    def shows_players(self) -> bool:
        """Whether there are to be pictures of players."""
        return self._images.player_address is not None

    @property
    def shows_teams(self) -> bool:
        """Whether there are to be marks of teams."""
        return self._images.team_address is not None

    def player(self, player_id: int, *, again: bool = False) -> Picture | None:
        """A player's picture if it is in memory; else it is looked for, and None. Never waits.

        `again` is a page's second look, which is not counted.
        """
        address = self._images.address_of_player(player_id)
        if address is None:
            return None
        return self._get(_Wanted(address, _PLAYER_PIXELS), counts=not again)

    def team(self, team_id: int, team: str) -> Picture | None:
        """A team's mark by id and abbreviation, as `player`."""
        address = self._images.address_of_team(team_id, team)
        return None if address is None else self._get(_Wanted(address, _TEAM_PIXELS))

    @property
    def problems(self) -> dict[Place, Exception]:
        """What failed last at each Place, as long as nothing has gone well there since."""
        with self._lock:
            return dict(self._problems)

    @property
    def held(self) -> int:
        """How many pictures are in memory."""
        return len(self._memory)

    def _get(self, wanted: _Wanted, *, counts: bool = True) -> Picture | None:
        held = self._memory.get(wanted.image_id)
        if held is None or not held.is_fresh(self._clock()):
            # An older picture is shown until there is a newer one.
            self._look_for(wanted)
        if counts:
            self._counts.add(Seen.DRAWN if held is None else Seen.SHOWN)
        return None if held is None else held.picture

    def _look_for(self, wanted: _Wanted) -> None:
        with self._lock:
            retry_at = self._retry_at.get(wanted.image_id)
            if retry_at is not None and self._clock() < retry_at:
                return
            if self._stop.is_set() or wanted.image_id in self._waiting:
                return
            # What finds no room is asked for again by whoever looks next.
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(wanted)
                self._waiting.add(wanted.image_id)
            if self._thread is None or not self._thread.is_alive():
                # A daemon: what hangs in a name's resolution must not keep the process alive.
                self._thread = threading.Thread(
                    target=self._work, name="nba-daily-pictures", daemon=True
                )
                self._thread.start()

    def seen(self, since: date) -> Mapping[Seen, int]:
        """What all processes have counted since a UTC date, this one up to now. Raises NotReady."""
        state, own = self._state("count pictures"), self._counts.so_far()
        with state.replica.read() as connection:
            days = image_days(connection, since, but=[(day, self._writer_id) for day in own])
        counted = [*days.values(), *(sums for day, sums in own.items() if day >= since)]
        return {what: sum(one.get(what.value, 0) for one in counted) for what in Seen}

    # What is kept of it -------------------------------------------------------------------------

    def keep(self) -> None:
        """Write new pictures and the day's counts into the catalogue, if that is due.

        All of it is one transaction, every six hours while there is anything. Raises NotReady,
        ReplicaError.
        """
        if self._counts.is_due(self._clock()):
            self._write()

    def close(self) -> None:
        """Look for nothing more, and write down what is not yet; before the state is closed."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
        if self._counts.so_far():
            # Counts, and rows that the next process makes from the objects: not worth an error
            # at the end.
            with contextlib.suppress(NotReady, ReplicaError):
                self._write()

    def _write(self) -> None:
        state, now = self._state("keep the counts of pictures"), self._clock()
        with self._lock:
            images = dict(self._unwritten)
        days = self._counts.so_far()
        with state.replica.transaction() as transaction:
            write_images(transaction, images.values())
            for day, figures in days.items():
                write_image_day(transaction, day, self._writer_id, figures)
            forget_image_days(transaction, (now - _KEPT).date())
        self._counts.kept(days, now)
        with self._lock:
            for image_id, written in images.items():
                if self._unwritten.get(image_id) == written:
                    del self._unwritten[image_id]

    # The thread ---------------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                wanted = self._queue.get(timeout=_END_SECONDS / 2)
            except queue.Empty:
                continue
            try:
                self._fill(wanted)
            except Exception as error:
                # A defect ends the thread, and the next look begins another: not with this one.
                self._not_before(wanted, self._clock() + _NOT_AGAIN_FOR)
                self._note(Place.ORIGIN, error)
                raise
            finally:
                with self._lock:
                    self._waiting.discard(wanted.image_id)

    def _fill(self, wanted: _Wanted) -> None:
        try:
            state = self._state("look for a picture")
        except NotReady:
            return
        for read in (self._from_disk, self._from_bucket):
            held = read(state, wanted)
            if held is not None:
                self._memory.put(wanted.image_id, held)
                if held.is_fresh(self._clock()):
                    return
        if self._stop.is_set():
            return
        if self._rests_until is not None and self._clock() < self._rests_until:
            self._not_before(wanted, self._rests_until)
            return
        try:
            self._fetch(state, wanted)
        except ImageError as error:
            self._failed(wanted, error)

    def _from_disk(self, state: State, wanted: _Wanted) -> Held | None:
        try:
            file = self._disk.get(wanted.image_id, self._clock())
            if file is None:
                return None
            try:
                picture = redraw(file.body, "the disk", most_side_pixels=wanted.most_side_pixels)
            except ImageRejected:
                self._disk.remove(wanted.image_id)
                return None
        except CacheUnusable as error:
            self._note(Place.DISK, error)
            return None
        self._note(Place.DISK, None)
        self._counts.add(Seen.FROM_DISK)
        return Held(picture, file.fetched_at)

    def _from_bucket(self, state: State, wanted: _Wanted) -> Held | None:
        image_id, shelf = wanted.image_id, self._shelf_of(state)
        try:
            stored = shelf.get(image_id)
            with state.replica.read() as connection:
                noted = stored_image(connection, image_id)
            self._note(Place.BUCKET, None)
            if stored is None:
                return None
            if noted is not None and noted.sha256 != hashlib.sha256(stored.body).hexdigest():
                # Another than was put there; the origin decides.
                return None
            picture = redraw(stored.body, "the bucket", most_side_pixels=wanted.most_side_pixels)
        except (ReplicaError, ImageRejected) as error:
            self._note(Place.BUCKET, error)
            return None
        held = Held(picture, stored.info.modified_at if noted is None else noted.fetched_at)
        if noted is None:
            # The process that put it there ended before it wrote its row.
            self._catalogue(image_id, stored.body, held)
        self._counts.add(Seen.FROM_BUCKET)
        self._put_on_disk(image_id, held)
        return held

    def _fetch(self, state: State, wanted: _Wanted) -> None:
        image_id = wanted.image_id
        self._stop.wait(_BETWEEN_REQUESTS_SECONDS)
        body = self._origin.fetch(wanted.address)
        self._counts.add(Seen.FETCHED_BYTES, len(body))
        picture = redraw(body, wanted.address, most_side_pixels=wanted.most_side_pixels)
        self._note(Place.ORIGIN, None)
        self._counts.add(Seen.FETCHED)
        held = Held(picture, self._clock())
        self._memory.put(image_id, held)
        self._put_on_disk(image_id, held)
        if self._stop.is_set():
            return
        try:
            self._shelf_of(state).put(image_id, picture.body)
        except StoreError as error:
            self._note(Place.BUCKET, error)
            return
        self._note(Place.BUCKET, None)
        self._catalogue(image_id, picture.body, held)

    def _put_on_disk(self, image_id: str, held: Held) -> None:
        try:
            self._disk.put(image_id, held.picture.body, held.fetched_at, self._clock())
        except CacheUnusable as error:
            self._note(Place.DISK, error)
        else:
            self._note(Place.DISK, None)

    def _catalogue(self, image_id: str, body: bytes, held: Held) -> None:
        row = StoredImage(
            image_id=image_id,
            sha256=hashlib.sha256(body).hexdigest(),
            media_type=MEDIA_TYPE,
            size_bytes=len(body),
            width_pixels=held.picture.width_pixels,
            height_pixels=held.picture.height_pixels,
            fetched_at=held.fetched_at,
        )
        with self._lock:
            if len(self._unwritten) < _MOST_UNWRITTEN:
                self._unwritten[image_id] = row

    def _failed(self, wanted: _Wanted, error: ImageError) -> None:
        now = self._clock()
        if isinstance(error, OriginUnreachable | AddressRefused):
            # Where a name leads, too, may be another network's fault for a moment.
            self._rests_until = now + _REST
            self._not_before(wanted, now + _UNREACHABLE_FOR)
        else:
            self._not_before(wanted, now + _NOT_AGAIN_FOR)
        self._counts.add(Seen.FAILED)
        self._note(Place.ORIGIN, error)

    def _not_before(self, wanted: _Wanted, moment: datetime) -> None:
        with self._lock:
            self._retry_at[wanted.image_id] = moment
            self._retry_at.move_to_end(wanted.image_id)
            while len(self._retry_at) > _MOST_FAILURES:
                self._retry_at.popitem(last=False)

    def _shelf_of(self, state: State) -> PictureShelf:
        if self._shelf is None:
            bucket = self._settings.image_bucket
            self._shelf = PictureShelf(side_store(self._settings, state.storage.store, bucket))
        return self._shelf

    def _note(self, place: Place, problem: Exception | None) -> None:
        with self._lock:
            if problem is None:
                self._problems.pop(place, None)
            else:
                self._problems[place] = problem
