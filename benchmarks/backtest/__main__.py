"""Replays seasons and scores them: `make backtest SEASON=2024-25 [DATA=folder YARDSTICKS=folder]`.

Prints tables and writes, for each season, benchmarks/backtest-SEASON.json with all figures, and
tables and plots in the folder of that name. For several seasons there is one more of each, with
their rows put together, averages over the seasons, and what was to be reached.

Yardsticks are what others said of the same games: forecasts.parquet, prop_lines_consensus.parquet
and prop_lines_points.parquet, each from the data's own folder if it is there, else from
../shared/data; with YARDSTICKS=folder from that one alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.backtest.plots import save_plots
from benchmarks.backtest.projector import MakeProjector, prepare_projector
from benchmarks.backtest.season import (
    Played,
    first_year_of,
    play_season,
    season_figures,
)
from benchmarks.backtest.sources import (
    CHECKOUT,
    DEFAULT_DATA,
    open_data,
    read_yardsticks,
    yardstick_files,
    yardstick_text,
)
from benchmarks.backtest.tables import season_text, together_text
from benchmarks.backtest.together import together_figures
from nba.errors import NbaError
from nba.progress import ProgressBar

__all__ = ["main"]

_DIGITS: Final = 6


class FolderNotWritten(NbaError):
    """Figures or what is kept between runs have no place."""


def main(words: Sequence[str] | None = None, make: MakeProjector = prepare_projector) -> int:
    """Run the command; its exit code: 0, or 2 when something asked for is not there."""
    options = _options(words)
    bar = ProgressBar(sys.stderr)
    try:
        _run(options, make, bar)
    except NbaError as error:
        bar.clear()
        print(error, file=sys.stderr)
        return 2
    return 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backtest", description=__doc__)
    parser.add_argument("seasons", nargs="+", metavar="SEASON", help="such as 2024-25")
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_DATA, help="a folder laid out like data/"
    )
    parser.add_argument(
        "--yardsticks", type=Path, help="the one folder to look for forecasts and market lines"
    )
    parser.add_argument(
        "--folder", type=Path, default=CHECKOUT / "benchmarks", help="where figures are written"
    )
    parser.add_argument("--cache", type=Path, default=CHECKOUT / "benchmarks" / ".cache")
    return parser.parse_args(words)


def _run(options: argparse.Namespace, make: MakeProjector, bar: ProgressBar) -> None:
    seasons: list[str] = list(dict.fromkeys(options.seasons))
    for season in seasons:
        first_year_of(season)
    files = yardstick_files(options.data, options.yardsticks)
    yardsticks = read_yardsticks(files)
    for folder in (options.cache, options.folder):
        _make(folder)
    data = open_data(options.data, options.cache, bar)
    bar.clear()
    print(yardstick_text(files), end="\n\n")
    played: list[Played] = []
    for season in seasons:
        started = time.monotonic()
        one = play_season(data, yardsticks, season, make, options.cache, bar)
        figures = season_figures(one)
        bar.clear()
        text = season_text(figures)
        print(text, end="\n\n")
        print(f"{season} took {time.monotonic() - started:.0f} s.\n")
        _save(options.folder, season, figures, text)
        played.append(one)
    if len(played) > 1:
        together = together_figures(played)
        text = together_text(together)
        print(text, end="\n\n")
        _save(options.folder, f"{min(seasons)}-to-{max(seasons)}", together, text)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderNotWritten(
            "Making a folder",
            str(folder),
            error.strerror or type(error).__name__,
            "Name places that can be written to with --folder and --cache",
        ) from error


def _save(folder: Path, name: str, figures: dict[str, Any], text: str) -> None:
    beside = folder / f"backtest-{name}"
    beside.mkdir(parents=True, exist_ok=True)
    target = folder / f"backtest-{name}.json"
    target.write_text(
        json.dumps(plain(figures), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        encoding="utf-8",
    )
    (beside / "tables.md").write_text(f"{text}\n", encoding="utf-8")
    save_plots(figures, beside / "plots.html", f"Backtest of {name}")
    print(f"Figures: {target}\nTables and plots: {beside}\n")


def plain(value: Any) -> Any:
    """The same in what JSON knows: Python's own numbers, rounded to six digits."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        # Adding zero takes the sign off what rounds to nothing.
        return round(float(value), _DIGITS) + 0.0
    if isinstance(value, int | np.integer):
        return int(value)
    return value


if __name__ == "__main__":
    sys.exit(main())
