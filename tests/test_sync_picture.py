"""The picture of the way to the store: true in every state, and without a word for strangers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.errors import ConfigurationError
from jobs.preparation import Preparation
from replica import AccessDenied, RolledBack, State, StoreUnreachable
from tests.saved_states import BUCKET, OK, SAVED
from ui.sync_picture import SyncPicture, Way, drawn, picture_of

PATH = "/srv/someone/state"
UNREACHABLE = StoreUnreachable("put", f"{BUCKET}{PATH}", f"Look at {PATH}.", BUCKET)


def pictured(**changes: object) -> SyncPicture:
    return picture_of(replace(SAVED, status=replace(OK, **changes)))  # type: ignore[arg-type]


def test_everything_has_arrived() -> None:
    picture = picture_of(SAVED)
    assert [(stop.name, stop.entry, stop.note) for stop in picture.stops] == [
        ("Here", "#41", "nothing waits"),
        ("Log in S3", "#41", "newest entry"),
        ("Snapshots", "#38", "123 kB"),
    ]
    assert picture.ways == (Way.DONE, Way.DONE)
    assert picture.words == (
        "This machine has the history up to entry 41; nothing waits. All of it is in the log, in "
        "S3. The newest snapshot reaches up to entry 38."
    )


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"state": State.SINGLE_WRITER}, Way.DONE),
        ({"state": State.PENDING, "pending_transactions": 1}, Way.WAITS),
        ({"state": State.STARTING}, Way.WAITS),
        ({"state": State.OFFLINE, "last_error": UNREACHABLE}, Way.FAILS),
        (
            {
                "state": State.OFFLINE,
                "last_error": UNREACHABLE,
                "pending_transactions": 2,
            },
            Way.FAILS,
        ),
        ({"state": State.SINGLE_WRITER, "last_error": UNREACHABLE}, Way.FAILS),
        ({"state": State.ROLLED_BACK, "last_error": RolledBack("read", BUCKET)}, Way.FAILS),
        ({"state": State.STOPPED, "last_error": AccessDenied("get", PATH, "read")}, Way.FAILS),
    ],
)
def test_what_is_not_in_the_log_is_not_drawn_as_there(
    changes: dict[str, object], first: Way
) -> None:
    picture = pictured(**changes)
    assert picture.ways[0] is first
    waiting = changes.get("pending_transactions", 0)
    assert (picture.stops[0].note != "nothing waits") == bool(waiting)
    everything = str(picture) + str(drawn(picture).to_dict())
    assert BUCKET not in everything
    assert PATH not in everything


def test_a_log_without_a_snapshot() -> None:
    picture = pictured(sequence=1, snapshot_sequence=None, snapshot_size_bytes=None)
    assert (picture.stops[2].entry, picture.stops[2].note) == ("–", "none known yet")
    assert picture.ways == (Way.DONE, Way.WAITS)
    assert picture.words.endswith("No snapshot is known yet.")


@pytest.mark.parametrize(
    ("error", "way"),
    [
        (None, Way.WAITS),
        (
            ConfigurationError("read the secrets", "[aws]", "Missing: region.", "Fill in."),
            Way.FAILS,
        ),
    ],
)
def test_before_the_history_is_here(error: ConfigurationError | None, way: Way) -> None:
    picture = picture_of(
        replace(SAVED, preparation=Preparation(), status=None, configuration_error=error)
    )
    assert picture.ways == (way, way)
    assert picture.stops[0].note == "not here yet"
    assert drawn(picture).to_dict()["height"] > 0


def test_every_box_and_every_way_is_drawn_with_its_words() -> None:
    picture = pictured(state=State.OFFLINE, last_error=UNREACHABLE, pending_transactions=2)
    text = str(drawn(picture).to_dict())
    for stop in picture.stops:
        for word in (stop.name, stop.entry, stop.note):
            assert word in text
    assert f'"{Way.FAILS.value}"' in text
    assert f'"{Way.DONE.value}"' in text
