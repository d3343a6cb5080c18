"""Where a backtest's games and yardsticks come from: folders, and files that may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.backtest.projector import Progress
from nba.errors import BundleDamaged, BundleMissing
from nba.history import History
from nba.reference import Reference, build_reference, reference_hash
from nba.reference_tables import OPTIONAL_TABLES, SCHEMA_VERSION

__all__ = [
    "CHECKOUT",
    "DEFAULT_DATA",
    "DEFAULT_YARDSTICKS",
    "YARDSTICK_FILES",
    "Data",
    "Yardsticks",
    "open_data",
    "read_yardsticks",
    "yardstick_files",
    "yardstick_text",
]

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
DEFAULT_DATA: Final = CHECKOUT / "data"
DEFAULT_YARDSTICKS: Final = CHECKOUT.parent / "shared" / "data"

_CONSENSUS: Final = "prop_lines_consensus.parquet"
_POINTS_LINES: Final = "prop_lines_points.parquet"
_FORECASTS: Final = "forecasts.parquet"
YARDSTICK_FILES: Final = (_FORECASTS, _CONSENSUS, _POINTS_LINES)
# The probability that the closing spread implies is known for every season since 2019-20 and comes
# first; that of moneylines, known until January 2023, where it is missing.
_CLOSING: Final = ("market_implied_seanqin", "closing_line")
_FORECAST_COLUMNS: Final = ("closing", "fivethirtyeight", "closing_spread", "closing_total")


@dataclass(frozen=True, slots=True)
class Data:
    """A data folder's games.

    `inactive` has the columns game (its id as a number) and player_id of those listed as inactive;
    None where the folder has no such list. `unlisted` are those who have box scores and no row in
    players.parquet.
    """

    reference: Reference
    history: History
    inactive: pd.DataFrame | None
    unlisted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Yardsticks:
    """What others said of the same games; None where the file is missing.

    `lines` has the columns game, player_id, market and line. `forecasts` is by game and has closing
    and fivethirtyeight (home win probabilities), closing_spread (home points minus away points that
    is expected) and closing_total, NaN where unknown.
    """

    lines: pd.DataFrame | None
    forecasts: pd.DataFrame | None


def open_data(folder: Path, cache: Path, progress: Progress) -> Data:
    """The games of a folder laid out like `data/`; the schedule and the absences may be missing.

    The reference built from it stays in `cache`. Raises BundleMissing or BundleDamaged.
    """
    # Another version of the tables is another file: one that is read is never built anew.
    name = f"reference-{SCHEMA_VERSION}-{reference_hash(folder, OPTIONAL_TABLES)[:16]}.db"
    built = build_reference(folder, cache / name, progress, may_lack=OPTIONAL_TABLES)
    reference = Reference(built)
    history = reference.history(date.min, date.max)
    listed = _read(folder / "players.parquet", ("player_id",))
    known = set() if listed is None else set(listed["player_id"])
    unlisted = frozenset(int(one) for one in np.unique(history.player_id) if one not in known)
    return Data(reference, history, _inactive(folder), unlisted)


def yardstick_files(data: Path, asked: Path | None) -> dict[str, Path]:
    """Where each of YARDSTICK_FILES is, without those that are nowhere.

    In the folder that was asked for, and nowhere else. If none was: in the data's own, or where it
    has no such file in the usual one. BundleMissing if the folder that was asked for is not there.
    """
    if asked is not None and not asked.is_dir():
        raise BundleMissing(
            "Opening the yardsticks", str(asked), "there is no such folder", "Name another"
        )
    folders = (data, DEFAULT_YARDSTICKS) if asked is None else (asked,)
    found: dict[str, Path] = {}
    for name in YARDSTICK_FILES:
        path = next((one / name for one in folders if (one / name).exists()), None)
        if path is not None:
            found[name] = path
    return found


def yardstick_text(files: Mapping[str, Path]) -> str:
    """Which yardsticks there are, a line each."""
    return "\n".join(
        f"Yardstick {name}: {files[name].parent if name in files else 'none'}"
        for name in YARDSTICK_FILES
    )


def read_yardsticks(files: Mapping[str, Path]) -> Yardsticks:
    """The yardsticks in files by name; BundleDamaged if one is no Parquet file or lacks columns."""
    return Yardsticks(
        lines=_lines(files.get(_CONSENSUS), files.get(_POINTS_LINES)),
        forecasts=_forecasts(files.get(_FORECASTS)),
    )


def _inactive(folder: Path) -> pd.DataFrame | None:
    rows = _read(folder / "player_absences.parquet", ("game_id", "player_id", "status"))
    if rows is None:
        return None
    chosen = rows[rows["status"] == "inactive"]
    return pd.DataFrame(
        {"game": chosen["game_id"].astype(np.int64), "player_id": chosen["player_id"]}
    ).astype(np.int64)


def _lines(consensus_path: Path | None, points_path: Path | None) -> pd.DataFrame | None:
    keys = ["game_id", "player_id", "market"]
    consensus = _read(consensus_path, (*keys, "line"))
    points = _read(points_path, ("game_id", "player_id", "line"))
    if points is not None:
        medians = points.assign(market="points").groupby(keys)["line"].median()
        points = medians.reset_index()
    parts = [part[[*keys, "line"]] for part in (consensus, points) if part is not None]
    if not parts:
        return None
    # The consensus comes first, and keeps its line where both have one.
    lines = pd.concat(parts).dropna(subset=["line"]).drop_duplicates(keys)
    return pd.DataFrame(
        {
            "game": lines["game_id"].astype(np.int64),
            "player_id": lines["player_id"].astype(np.int64),
            "market": lines["market"].astype(str),
            "line": lines["line"].astype(np.float64),
        }
    ).reset_index(drop=True)


def _forecasts(path: Path | None) -> pd.DataFrame | None:
    columns = ("game_id", "source", "home_win_prob", "home_spread", "total")
    rows = _read(path, columns)
    if rows is None:
        return None
    rows = rows.assign(game=rows["game_id"].astype(np.int64))
    by_source = {
        str(source): part.drop_duplicates("game").set_index("game").astype({"total": np.float64})
        for source, part in rows.groupby("source")
    }
    found = pd.DataFrame(
        index=np.unique(rows["game"]), columns=list(_FORECAST_COLUMNS), dtype=float
    )
    for source in _CLOSING:
        if source in by_source:
            part = by_source[source].reindex(found.index)
            found["closing"] = found["closing"].fillna(part["home_win_prob"])
            found["closing_spread"] = found["closing_spread"].fillna(-part["home_spread"])
            found["closing_total"] = found["closing_total"].fillna(part["total"])
    if "fivethirtyeight" in by_source:
        part = by_source["fivethirtyeight"].reindex(found.index)
        found["fivethirtyeight"] = part["home_win_prob"]
    return found


def _read(path: Path | None, columns: tuple[str, ...]) -> pd.DataFrame | None:
    if path is None or not path.exists():
        return None
    try:
        table = pq.read_table(path, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise BundleDamaged(
            "Reading a yardstick", path.name, f"it cannot be read ({error})", "Fetch it again"
        ) from error
    missing = sorted(set(columns) - set(table.column_names))
    if missing:
        raise BundleDamaged(
            "Reading a yardstick",
            path.name,
            f"columns are missing: {', '.join(missing)}",
            "Give it the columns that docs/model.md names, or take it away",
        )
    frame: pd.DataFrame = table.to_pandas()
    return frame
