"""How far the history has come on its way, as a picture: here, the log, the snapshots."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import Final

import altair as alt
import pandas as pd

from jobs.saved import SavedState
from replica import State, Status
from ui.charts import ACTUAL, BASELINE, BASELINE_DASH, GAIN, PROJECTED

__all__ = ["Stop", "SyncPicture", "Way", "drawn", "picture_of"]


class Way(enum.Enum):
    """What goes on between two stops."""

    DONE = "done"
    WAITS = "waits"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Stop:
    """One box of the picture.

    Attributes:
        name: what it is.
        entry: the newest log entry that it holds, as text.
        note: a few words more.
    """

    name: str
    entry: str
    note: str


@dataclass(frozen=True, slots=True)
class SyncPicture:
    """Three stops, and what goes on between each and the next.

    Attributes:
        stops: here, the log, the snapshots.
        ways: from here to the log, from the log to the snapshots.
        words: the same for whoever cannot see it.
    """

    stops: tuple[Stop, Stop, Stop]
    ways: tuple[Way, Way]
    words: str


# By value: a reload of the code makes new enum members of the same meaning.
_WELL = {State.OK.value, State.SINGLE_WRITER.value}
_ON_ITS_WAY = {State.STARTING.value, State.PENDING.value, State.CLOSED.value}
_FIRST_WORDS: Final = {
    Way.DONE.value: "All of it is in the log",
    Way.WAITS.value: "It is on its way to the log",
    Way.FAILS.value: "It does not reach the log",
}
_COLOURS: Final = {Way.DONE: GAIN, Way.WAITS: BASELINE, Way.FAILS: ACTUAL}
_SHAPES: Final = {Way.DONE: "triangle-right", Way.WAITS: "circle", Way.FAILS: "cross"}

_HEIGHT_PIXELS: Final = 110
_STOPS_AT: Final = (0.14, 0.5, 0.86)
"""Of the picture's width: far enough from its edges for the words below."""
_WAYS_AT: Final = (0.32, 0.68)
_ARROW: Final = 0.07
"""Half of an arrow's length."""


def picture_of(saved: SavedState) -> SyncPicture:
    """The picture for these facts. It names no bucket, host, key or path."""
    place = "a folder" if saved.uses_folder else "S3"
    status = saved.status
    is_here = saved.preparation.state_ready and status is not None
    if status is None or not is_here:
        lost = saved.configuration_error or saved.preparation.state_error
        way = Way.FAILS if lost else Way.WAITS
        reached = "not reached" if lost else "being read"
        stops = (
            Stop("Here", "–", "not here yet"),
            Stop(f"Log in {place}", "–", reached),
            Stop("Snapshots", "–", reached),
        )
        words = f"The history is not on this machine yet. The log in {place} is {reached}."
        return SyncPicture(stops, (way, way), words)
    return _picture_of_status(status, place)


def _picture_of_status(status: Status, place: str) -> SyncPicture:
    waiting = status.pending_transactions
    if status.state.value in _WELL and status.last_error is None:
        first = Way.DONE
    elif status.state.value in _ON_ITS_WAY and status.last_error is None:
        first = Way.WAITS
    else:
        first = Way.FAILS
    known = status.snapshot_sequence is not None
    here = Stop("Here", _entry(status.sequence), _writes(waiting) if waiting else "nothing waits")
    # While the store is away the log may have grown: this is what was seen of it.
    log_note = "last seen" if first is Way.FAILS else "newest entry"
    log = Stop(f"Log in {place}", _entry(status.sequence), log_note)
    snapshots = Stop(
        "Snapshots",
        _entry(status.snapshot_sequence or 0),
        _size(status.snapshot_size_bytes) if known else "none known yet",
    )
    words = (
        f"This machine has the history up to {_named(status.sequence)}; "
        f"{_writes(waiting) if waiting else 'nothing waits'}. {_FIRST_WORDS[first.value]}, in "
        f"{place}. "
        + (
            f"The newest snapshot reaches up to {_named(status.snapshot_sequence or 0)}."
            if known
            else "No snapshot is known yet."
        )
    )
    return SyncPicture((here, log, snapshots), (first, Way.DONE if known else Way.WAITS), words)


def drawn(picture: SyncPicture) -> alt.LayerChart | alt.FacetChart:
    """The picture as a chart; its width is the page's."""
    scale = alt.Scale(domain=[0, 1], nice=False, zero=False)
    y = alt.Y("height:Q", scale=scale, axis=None)
    at_stops = alt.X("at:Q", scale=scale, axis=_words_below(picture))
    first, _ = picture.ways
    reached = [True, first is not Way.FAILS, first is not Way.FAILS]
    layers = [
        alt.Chart(pd.DataFrame({"at": [at], "height": [0.5]}))
        .mark_point(
            shape="circle",
            size=520,
            filled=is_reached,
            strokeWidth=2,
            color=PROJECTED if is_reached else BASELINE,
            opacity=1,
        )
        .encode(x=at_stops, y=y)
        for at, is_reached in zip(_STOPS_AT, reached, strict=True)
    ]
    for way, at in zip(picture.ways, _WAYS_AT, strict=True):
        arrow = pd.DataFrame({"from": [at - _ARROW], "to": [at + _ARROW], "height": [0.5]})
        base, colour = alt.Chart(arrow), _COLOURS[way]
        dash = [1, 0] if way is Way.DONE else list(BASELINE_DASH)
        layers += [
            base.mark_rule(color=colour, strokeWidth=2, strokeDash=dash).encode(
                x=alt.X("from:Q", scale=scale), x2="to:Q", y=y
            ),
            base.mark_point(
                color=colour, filled=True, shape=_SHAPES[way], size=110, opacity=1
            ).encode(x=alt.X("to:Q", scale=scale), y=y),
        ]
    return alt.layer(*layers).properties(height=_HEIGHT_PIXELS)


def _words_below(picture: SyncPicture) -> alt.Axis:
    """All words of the picture. As an axis's labels they take the colour of the page's theme."""
    stops = [f"{stop.name}|{stop.entry}|{stop.note}" for stop in picture.stops]
    ways = [way.value for way in picture.ways]
    words = dict(sorted(zip((*_STOPS_AT, *_WAYS_AT), (*stops, *ways), strict=True)))
    chosen = '""'
    for at, text in reversed(words.items()):
        chosen = f"datum.value <= {at + 0.01:.2f} ? {json.dumps(text)} : {chosen}"
    return alt.Axis(
        values=list(words),
        labelExpr=f'split({chosen}, "|")',
        labelFlush=False,
        labelOverlap=False,
        labelLineHeight=17,
        title=None,
        domain=False,
        ticks=False,
        grid=False,
    )


def _entry(sequence: int) -> str:
    return f"#{sequence}" if sequence else "–"


def _named(sequence: int) -> str:
    return f"entry {sequence}" if sequence else "no entry"


def _writes(number: int) -> str:
    return "1 write waits" if number == 1 else f"{number} writes wait"


def _size(size_bytes: int | None) -> str:
    return "size unknown" if size_bytes is None else f"{size_bytes / 1000:,.0f} kB"
