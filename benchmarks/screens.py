"""What a rerun of a page costs with a long history: `python -m benchmarks.screens`.

Each page runs as in the app, without a browser: once for its first visitor, then again and again.
The bars are those of the project's brief: the median rerun at the largest size takes less than
400 ms, and less than twice the one at the smallest size. Writes screens.json beside this file.

The histories go to a folder below the system's temporary one, and are used again the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.screens_state import write_history
from jobs.application import Application
from nba.reference import build_reference
from prediction_tracking import HistoryFilters
from tests.app_process import CHECKOUT
from tests.applications import log_of, running, settings_for, use_store
from tests.season_evening import DatedFolder
from tests.sites import NOW
from ui.history_view import PAGE_ROWS
from ui.runtime import install_application

SIZES: Final = (100_000, 1_000_000)
RERUNS: Final = 15
MOST_MILLISECONDS: Final = 400.0
MOST_TIMES: Final = 2.0

_FORMAT: Final = 1
"""Raised when the histories are written otherwise; those of another format are made anew."""
_EVENING: Final = datetime.fromisoformat(NOW)
_PAGE_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class View:
    """A page with what stands in its address."""

    name: str
    file: str
    heading: str
    query: dict[str, str] = field(default_factory=dict)


def views(application: Application) -> list[View]:
    """What is measured; a page that this checkout does not have is left out."""
    log = log_of(application)
    whole = log.history_back(HistoryFilters(), None, PAGE_ROWS)
    found = [
        View("Today", "pages/todays_games.py", "Today's Games"),
        View("Track record", "pages/track_record.py", "Track Record"),
        View("History", "pages/history.py", "History"),
        View("History, oldest page", "pages/history.py", "History", {"after": str(whole)}),
        View("History, one player", "pages/history.py", "History", {"player": "lebron"}),
        View("History, one team", "pages/history.py", "History", {"team": "BOS", "stat": "PTS"}),
        View("History, nobody", "pages/history.py", "History", {"player": "nobody at all"}),
        View("Player", "pages/player.py", "Player", {"player": "2544"}),
    ]
    return [view for view in found if (CHECKOUT / view.file).exists()]


def measured(view: View, reruns: int) -> dict[str, float]:
    """Milliseconds of the first run and of the following ones.

    `processor_ms` is what this process itself worked in the median rerun: on a busy machine a rerun
    waits for its turn beside that.
    """
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=_PAGE_SECONDS)
    test.switch_page(view.file)
    for name, value in view.query.items():
        test.query_params[name] = value
    taken: list[float] = []
    worked: list[float] = []
    for _ in range(1 + reruns):
        started, processor = time.perf_counter(), time.process_time()
        test.run()
        taken.append((time.perf_counter() - started) * 1000)
        worked.append((time.process_time() - processor) * 1000)
        if test.exception or [title.value for title in test.title] != [view.heading]:
            raise RuntimeError(f"{view.name} was not drawn: {test.exception}")
    first, *again = taken
    return {
        "first_ms": round(first, 1),
        "median_ms": round(statistics.median(again), 1),
        "slowest_ms": round(max(again), 1),
        "processor_ms": round(statistics.median(worked[1:]), 1),
    }


@contextmanager
def served(place: Path) -> Iterator[Application]:
    """The application on the history at `place`, where pages find it."""
    settings = settings_for(place / "state", place / "reference.db", place / "store")
    with pytest.MonkeyPatch.context() as patched:
        use_store(patched, DatedFolder(place / "store", lambda: _EVENING))
        with running(settings, lambda: _EVENING, ticks=False) as application:
            # Tonight's slate is logged, what was logged gets its readable copies, and what that
            # left is published; nothing is written afterwards.
            application.tick()
            application.tick()
            # In the app a background thread adds up what was logged since; here before the clock.
            log_of(application).scoring.update()
            install_application(application)
            try:
                yield application
            finally:
                install_application(None)


def prepared(folder: Path, predictions: int) -> Path:
    """A folder with a reference, a state and its store; made if it is not there."""
    place = folder / f"{predictions}-v{_FORMAT}"
    if not place.exists():
        partial = folder / f"{place.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        started = time.monotonic()
        reference = build_reference(CHECKOUT / "data", partial / "reference.db")
        database = settings_for(partial / "state", reference, partial / "store").database_path
        database.parent.mkdir(parents=True)
        written = write_history(database, partial / "store", reference, predictions)
        partial.rename(place)
        seconds = time.monotonic() - started
        print(f"{written:,} predictions written in {seconds:.0f} s", file=sys.stderr)
    return place


def measure(folder: Path, sizes: Sequence[int], reruns: int) -> dict[str, Any]:
    """The figures by view and size."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for size in sizes:
        with served(prepared(folder, size)) as application:
            for view in views(application):
                found = measured(view, reruns)
                figures.setdefault(view.name, {})[str(size)] = found
                print(f"{view.name}, {size:,} predictions: {found}", file=sys.stderr)
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return {
        "bars": {"median_ms": MOST_MILLISECONDS, "times": MOST_TIMES},
        "machine": machine,
        "views": figures,
    }


def missed_bars(figures: dict[str, Any]) -> list[str]:
    """What is slower than it may be, in sentences."""
    missed = []
    for name, by_size in figures["views"].items():
        sizes = sorted(by_size, key=int)
        least, most = by_size[sizes[0]]["median_ms"], by_size[sizes[-1]]["median_ms"]
        if most >= MOST_MILLISECONDS:
            missed.append(f"{name} takes {most:.0f} ms with {int(sizes[-1]):,} predictions")
        if most >= MOST_TIMES * least:
            missed.append(f"{name} takes {most / least:.1f} times as long as with fewer")
    return missed


def table(figures: dict[str, Any]) -> str:
    """The medians as a Markdown table, in milliseconds."""
    sizes = sorted({size for by_size in figures["views"].values() for size in by_size}, key=int)
    lines = [
        "| page | " + " | ".join(f"{int(size):,} predictions" for size in sizes) + " |",
        "|---|" + "---:|" * len(sizes),
    ]
    for name, by_size in figures["views"].items():
        cells = " | ".join(f"{by_size[size]['median_ms']:.0f} ms" for size in sizes)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Measure, print and write; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="benchmarks.screens", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="predictions")
    parser.add_argument("--reruns", type=int, default=RERUNS)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "nba-daily-screens"
    )
    parser.add_argument("--json", type=Path, default=CHECKOUT / "benchmarks" / "screens.json")
    chosen = parser.parse_args(arguments)
    figures = measure(chosen.folder, chosen.sizes, chosen.reruns)
    chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(table(figures))
    missed = missed_bars(figures)
    for sentence in missed:
        print(f"Too slow: {sentence}.", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
