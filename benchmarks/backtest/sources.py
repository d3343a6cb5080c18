"""Where a backtest's games and yardsticks come from: folders, and files that may be missing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
from nba.reference_tables import TABLES

__all__ = [
    "CHECKOUT",
    "DEFAULT_DATA",
    "Data",
    "Yardsticks",
    "open_data",
    "read_yardsticks",
    "yardstick_folder",
]

CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent
DEFAULT_DATA: Final = CHECKOUT / "data"
DEFAULT_YARDSTICKS: Final = CHECKOUT.parent / "shared" / "data"

_OPTIONAL: Final = ("schedule", "absences")
_CONSENSUS: Final = "prop_lines_consensus.parquet"
_POINTS_LINES: Final = "prop_lines_points.parquet"
_FORECASTS: Final = "forecasts.parquet"
_CLOSING: Final = ("closing_line", "market_implied_seanqin")
_FORECAST_COLUMNS: Final = ("closing", "fivethirtyeight", "closing_spread", "closing_total")


@dataclass(frozen=True, slots=True)
class Data:
    """A data folder's games.

    `inactive` has the columns game (its id as a number) and player_id of those listed as inactive;
    None where the folder has no such list.
    """

    reference: Reference
    history: History
    inactive: pd.DataFrame | None


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
    if not folder.is_dir():
        raise BundleMissing(
            "Opening the data", str(folder), "there is no such folder", "Name one like data/"
        )
    with _whole(folder) as bundle:
        name = f"reference-{reference_hash(bundle)[:16]}.db"
        reference = Reference(build_reference(bundle, cache / name, progress))
    return Data(reference, reference.history(date.min, date.max), _inactive(folder))


def yardstick_folder(data: Path, asked: Path | None) -> Path:
    """The folder to look for yardsticks: the one asked for, the data's, or for ours the usual one.

    BundleMissing if the folder that was asked for is not there.
    """
    if asked is not None:
        if not asked.is_dir():
            raise BundleMissing(
                "Opening the yardsticks", str(asked), "there is no such folder", "Name another"
            )
        return asked
    return DEFAULT_YARDSTICKS if data.resolve() == DEFAULT_DATA.resolve() else data


def read_yardsticks(folder: Path) -> Yardsticks:
    """The yardsticks of a folder; BundleDamaged if one is no Parquet file or lacks columns."""
    return Yardsticks(lines=_lines(folder), forecasts=_forecasts(folder))


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """The folder, or one beside it in which what may be missing is there without rows."""
    missing = [
        table for table in TABLES if table.name in _OPTIONAL and not list(folder.glob(table.files))
    ]
    if not missing:
        yield folder
        return
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name)
        for path in folder.glob("*.parquet"):
            os.symlink(path.resolve(), whole / path.name)
        for table in missing:
            columns = {source: pa.array([], pa.string()) for _, source in table.columns}
            pq.write_table(pa.table(columns), whole / table.files.replace("*", "none"))
        yield whole


def _inactive(folder: Path) -> pd.DataFrame | None:
    rows = _read(folder / "player_absences.parquet", ("game_id", "player_id", "status"))
    if rows is None:
        return None
    chosen = rows[rows["status"] == "inactive"]
    return pd.DataFrame(
        {"game": chosen["game_id"].astype(np.int64), "player_id": chosen["player_id"]}
    ).astype(np.int64)


def _lines(folder: Path) -> pd.DataFrame | None:
    keys = ["game_id", "player_id", "market"]
    consensus = _read(folder / _CONSENSUS, (*keys, "line"))
    points = _read(folder / _POINTS_LINES, ("game_id", "player_id", "line"))
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


def _forecasts(folder: Path) -> pd.DataFrame | None:
    columns = ("game_id", "source", "home_win_prob", "home_spread", "total")
    rows = _read(folder / _FORECASTS, columns)
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
    # A moneyline's probability where there is one, else what the closing spread implies.
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


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame | None:
    if not path.exists():
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
