"""Runs read back from their readable copies: the reverse of `run_frame` and its CSV."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from replica import Transaction
from tracking.errors import TrackingError
from tracking.frames import moment_of, moment_text

__all__ = ["CopiedRun", "CopyDamaged", "fingerprint", "read_copy", "write_copied_run"]

Value = TypeVar("Value")
Row = tuple[str | int | float | None, ...]

_REQUIRED: Final = (
    "run_id",
    "slate_date",
    "model_version",
    "origin",
    "logged_at",
    "time_verified",
    "revision",
    "source",
    "game_id",
    "game_date",
    "player_id",
    "stat",
    "mean",
)


class CopyDamaged(TrackingError):
    """A readable copy is not what the app writes."""


@dataclass(frozen=True, slots=True)
class CopiedRun:
    """One run with the rows that it has in `runs`, `game_predictions` and `predictions`.

    `logged_at` is by the clock of the machine that logged it, as text; `names` has the players'.
    """

    run_id: str
    logged_at: str
    run: Row
    games: tuple[Row, ...]
    predictions: tuple[Row, ...]
    names: Mapping[int, str]


def read_copy(body: bytes, key: str) -> CopiedRun:
    """The run in a readable copy. Raises CopyDamaged."""
    try:
        rows = list(_rows(body))
        [run] = {_run_row(row) for row in rows}
        run_id = str(run[0])
        games = {_game_row(row): None for row in rows}
        said = [_prediction_row(row) for row in rows if row["player_id"]]
        logged_at = moment_text(moment_of(rows[0]["logged_at"]))
        names = {
            int(row["player_id"]): row["player_name"]
            for row in rows
            if row["player_id"] and row.get("player_name")
        }
    except (ValueError, KeyError, OverflowError) as error:
        raise _damaged(key, f"it does not read as one run ({error})") from error
    for what, keys in (
        ("game", [row[1] for row in games]),
        ("prediction", [row[1:4] for row in said]),
    ):
        if len(set(keys)) != len(keys):
            raise _damaged(key, f"it says two things of one {what}")
    return CopiedRun(run_id, logged_at, run, tuple(games), tuple(said), names)


def write_copied_run(transaction: Transaction, run: CopiedRun) -> bool:
    """Write a run that is not there yet; False if it is. What is there never changes."""
    for _ in transaction.execute("SELECT 1 FROM runs WHERE run_id = ?", (run.run_id,)):
        return False
    transaction.execute(
        "INSERT INTO runs (run_id, slate_date, model_version, origin, data_as_of, logged_at,"
        " transaction_id, time_verified, revision, source) VALUES (?,?,?,?,?,?,?,?,?,?)",
        run.run,
    )
    transaction.execute(
        "INSERT INTO run_transactions (run_id, transaction_id, logged_at) VALUES (?, ?, ?)",
        (run.run_id, transaction.id, run.logged_at),
    )
    transaction.executemany(
        "INSERT INTO game_predictions (run_id, game_id, game_date, tipoff_utc, home_team_id,"
        " away_team_id, home_team, away_team, home_win_probability,"
        " elo_home_win_probability, home_points, away_points) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        run.games,
    )
    transaction.executemany(
        "INSERT INTO predictions (run_id, game_id, player_id, stat, team_id, mean, floor,"
        " ceiling, from_prior, median) VALUES (?,?,?,?,?,?,?,?,?,?)",
        run.predictions,
    )
    transaction.executemany(
        "INSERT INTO players (player_id, player_name) VALUES (?, ?)"
        " ON CONFLICT (player_id) DO UPDATE SET player_name = excluded.player_name",
        sorted(run.names.items()),
    )
    return True


def _rows(body: bytes) -> Iterator[dict[str, str]]:
    reader = csv.reader(io.StringIO(body.decode("utf-8"), newline=""), strict=True)
    header = next(reader, [])
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise ValueError(f"without {', '.join(missing)}")
    empty = True
    for cells in reader:
        if len(cells) != len(header):
            raise ValueError(f"line {reader.line_num} has {len(cells)} of {len(header)} cells")
        empty = False
        yield dict(zip(header, cells, strict=True))
    if empty or not body.endswith(b"\n"):
        raise ValueError("its end is missing")


def _run_row(row: Mapping[str, str]) -> Row:
    revision = _flag(row["revision"])
    as_of = _optional(row, "data_as_of", _day)
    logged_at = moment_text(moment_of(row["logged_at"]))
    return (
        row["run_id"],
        _day(row["slate_date"]),
        row["model_version"],
        row["origin"],
        as_of,
        # As `write_run` puts it: the machine's time only orders revisions.
        logged_at if revision else as_of or "",
        "",
        _flag(row["time_verified"]),
        revision,
        row["source"],
    )


def _game_row(row: Mapping[str, str]) -> Row:
    return (
        row["run_id"],
        row["game_id"],
        _day(row["game_date"]),
        _optional(row, "tipoff_utc", lambda text: moment_text(moment_of(text))),
        _optional(row, "home_team_id", int),
        _optional(row, "away_team_id", int),
        _optional(row, "home_team", str),
        _optional(row, "away_team", str),
        _optional(row, "home_win_probability", float),
        _optional(row, "elo_home_win_probability", float),
        _optional(row, "home_points", float),
        _optional(row, "away_points", float),
    )


def _prediction_row(row: Mapping[str, str]) -> Row:
    return (
        row["run_id"],
        row["game_id"],
        int(row["player_id"]),
        row["stat"],
        _optional(row, "team_id", int),
        float(row["mean"]),
        _optional(row, "floor", float),
        _optional(row, "ceiling", float),
        _flag(row["from_prior"]),
        _optional(row, "median", float),
    )


def _optional(row: Mapping[str, str], name: str, read: Callable[[str], Value]) -> Value | None:
    """What an older version did not write, or did not know, is None."""
    text = row.get(name, "")
    return read(text) if text else None


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _flag(text: str) -> int:
    match text:
        case "true" | "1":
            return 1
        case "false" | "0":
            return 0
    raise ValueError(f"{text!r} is neither true nor false")


def _damaged(key: str, problem: str) -> CopyDamaged:
    return CopyDamaged(
        "reading a readable copy",
        key,
        problem,
        "Bring it back from an older version of the object; the app itself never changes one.",
    )


def fingerprint(run: CopiedRun) -> bytes:
    """A SHA-256 of what a copy says of its run, whatever the order of the rows; without names."""
    content = run.run, sorted(run.games, key=repr), sorted(run.predictions, key=repr)
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).digest()
