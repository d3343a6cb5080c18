"""A player's games as tables: what was projected and what he did, splits, and how good it was."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import pandas as pd

from jobs.player import Scores
from nba import evaluation
from nba.evaluation import Interval
from nba.seasons import season_of
from nba.stats import MARKETS, STATS, SUMMED, Market, Stat
from ui.tables import MARKET_LABELS

__all__ = [
    "PlayerRecord",
    "game_log",
    "game_rows",
    "log_csv",
    "log_frame",
    "record_of",
    "seasons_of",
    "splits_table",
]

BANDS: Final = ("mean", "median", "floor", "ceiling")

_ABOUT: Final = (
    *("game_id", "game_date", "season", "season_type", "team_id", "team", "opponent", "is_home"),
    *("team_points", "opponent_points", "played", "final", "rest_days"),
    *("counted", "model_version", "logged_at", "stored_at", "sequence"),
)
# What a box score says of a game, and a projection of one that has none.
_GAME: Final = ("game_id", "game_date", "season", "season_type", "team_id", "opponent", "is_home")
# A phone shows two or three of them beside the name.
_SHOWN: Final[tuple[Market, ...]] = ("minutes", "points", "rebounds", "assists", "threes", "pra")
_LATEST_GAMES: Final = (5, 10)


@dataclass(frozen=True, slots=True)
class PlayerRecord:
    """How good the projections of one stat were over the `n` games that count and were played.

    Errors are mean absolute ones in the stat's unit: of the median where one was logged, else of
    the mean. `baseline_mae` is that of his season's average before each game, over the
    `baseline_n` of these games for which there is one, and `baseline_model_mae` the model's over
    the very same. `inside` of `banded` actuals fell from floor to ceiling, and `share` is the 95%
    interval of that share. None where there is no row.
    """

    n: int
    mae: float | None
    baseline_n: int
    baseline_mae: float | None
    baseline_model_mae: float | None
    inside: int
    banded: int
    share: Interval


def game_rows(
    career: pd.DataFrame,
    predictions: pd.DataFrame,
    finals: Scores,
    teams: Mapping[int, str],
) -> pd.DataFrame:
    """One row for each game that he played or that a projection was logged for, oldest first.

    `career` is what `Reference.player_games` gives of him, `predictions` what
    `player_predictions` does, `finals` final scores by game id, `teams` abbreviations by id.

    Columns: game_id, game_date (timestamp of the US Eastern date), season, season_type, team_id,
    team, opponent, is_home; team_points and opponent_points (NaN while unknown); played, and
    final for a game that is over; rest_days since his game before (NaN for the first); each of
    MARKETS with what he did, NaN while unknown; for each of STATS `points_mean` and so on, NaN
    without a projection; counted, and model_version, logged_at, stored_at and sequence of its run.
    """
    played = _played(career, teams)
    projected = _projected(predictions)
    rows = played.merge(projected, on="game_id", how="outer", suffixes=("", "_said"))
    rows = rows.assign(played=rows["played"].eq(True))
    for name in _GAME[1:]:
        if f"{name}_said" in rows:
            rows[name] = rows[name].where(rows["played"], rows[f"{name}_said"])
    for stat in STATS:
        rows[stat] = rows[stat].fillna(rows[f"{stat}_learned"]).astype("float64")
    # An import may know what he did in a game of which there is no box score.
    rows["played"] |= rows[list(STATS)].notna().any(axis=1)
    rows["pra"] = rows[list(SUMMED)].sum(axis=1, skipna=False)
    rows["is_home"] = rows["is_home"].eq(True)
    rows["team"] = rows["team"].fillna(rows["team_id"].map(dict(teams))).fillna("")
    rows["game_date"] = pd.to_datetime(rows["game_date"])
    rows["counted"] = rows["counted"].eq(True)
    rows = _with_scores(rows, finals).sort_values(["game_date", "game_id"], ignore_index=True)
    rows["rest_days"] = _rest_days(rows)
    bands = [f"{stat}_{name}" for stat in STATS for name in BANDS]
    return rows[[*_ABOUT, *MARKETS, *bands]]


def _played(career: pd.DataFrame, teams: Mapping[int, str]) -> pd.DataFrame:
    opponents = career["opponent_id"].map(dict(teams)).fillna("")
    found = career.assign(opponent=opponents, played=True)
    return found[[*_GAME, *STATS, "played"]]


def _projected(predictions: pd.DataFrame) -> pd.DataFrame:
    """One row a game, with the columns of each stat side by side."""
    per_game = ["game_id", "slate_date", "team", "opponent", "is_home", "counted"]
    run = ["model_version", "logged_at", "stored_at", "sequence"]
    found = predictions[[*per_game, *run]].drop_duplicates("game_id")
    seasons = [season_of(day) for day in found["slate_date"]]
    found = found.assign(
        season=pd.Series(seasons, index=found.index, dtype="object"),
        slate_date=pd.to_datetime(found["slate_date"]).astype("datetime64[s]"),
    )
    for stat in STATS:
        of_stat = predictions[predictions["stat"] == stat]
        columns = {name: f"{stat}_{name}" for name in (*BANDS, "learned")}
        found = found.merge(
            of_stat[["game_id", *columns]].rename(columns=columns), on="game_id", how="left"
        )
    return found.rename(
        columns={
            "slate_date": "game_date_said",
            "season": "season_said",
            "opponent": "opponent_said",
            "is_home": "is_home_said",
        }
    )


def _with_scores(rows: pd.DataFrame, finals: Scores) -> pd.DataFrame:
    known = [finals.get(str(game_id)) for game_id in rows["game_id"]]
    home = np.array([np.nan if one is None else one[0] for one in known], np.float64)
    away = np.array([np.nan if one is None else one[1] for one in known], np.float64)
    at_home = rows["is_home"].to_numpy(np.bool_)
    return rows.assign(
        team_points=np.where(at_home, home, away),
        opponent_points=np.where(at_home, away, home),
        final=[one is not None for one in known],
    )


def _rest_days(rows: pd.DataFrame) -> pd.Series[float]:
    """Whole days without a game of his before each, however long; NaN before his first."""
    days = rows["game_date"].where(rows["played"]).ffill().shift()
    return (rows["game_date"] - days).dt.days - 1.0


def seasons_of(rows: pd.DataFrame) -> list[str]:
    """The seasons of `game_rows`, newest first."""
    return sorted({str(season) for season in rows["season"]}, reverse=True)


def record_of(rows: pd.DataFrame, stat: Stat) -> PlayerRecord:
    """How good the projections of a stat were in these `game_rows`, beside his season's average.

    `rows` holds every game of the seasons in question: the averages come from it.
    """
    guess = rows[f"{stat}_median"].fillna(rows[f"{stat}_mean"])
    judged = rows["counted"] & rows[stat].notna() & guess.notna()
    actual, guess = rows.loc[judged, stat], guess[judged]
    banded = rows[judged].dropna(subset=[f"{stat}_floor", f"{stat}_ceiling"])
    inside = _is_inside(banded, stat)
    average = _season_average(rows, stat)[judged]
    known = average.notna()
    return PlayerRecord(
        n=len(actual),
        mae=_mae(actual, guess),
        baseline_n=int(known.sum()),
        baseline_mae=_mae(actual[known], average[known]),
        baseline_model_mae=_mae(actual[known], guess[known]),
        inside=int(inside.sum()),
        banded=len(banded),
        share=evaluation.wilson_interval(int(inside.sum()), len(banded)),
    )


def _is_inside(rows: pd.DataFrame, stat: Stat) -> pd.Series[bool]:
    return rows[stat].between(rows[f"{stat}_floor"], rows[f"{stat}_ceiling"])


def _season_average(rows: pd.DataFrame, stat: Stat) -> pd.Series[float]:
    """Before each game the average of the season so far; NaN before its first game."""
    of_him = rows.assign(player_id=0)
    history = of_him[of_him[stat].notna()]
    found: pd.Series[float] = evaluation.baselines(history, of_him, stat)["season_average"]
    return found


def _mae(actual: pd.Series[float], guess: pd.Series[float]) -> float | None:
    return evaluation.mae(actual, guess) if len(actual) else None


def game_log(rows: pd.DataFrame, market: Market, today: date) -> pd.DataFrame:
    """`game_rows` as people read them, newest first, with the projection of one market beside.

    Games of `today` (US Eastern) and later are to come, or going on. No band of PRA is logged, so
    its columns are left out.
    """
    newest = rows.iloc[::-1]
    label = MARKET_LABELS[market]
    table: dict[str, object] = {
        "Date": newest["game_date"].dt.date,
        "Against": _against(newest),
        label: newest[market],
    }
    if market != "pra":
        table["Projected"] = newest[f"{market}_mean"]
        table["Range"] = _ranges(newest, market)
        table["In range"] = _verdicts(newest, market, today)
    table["Result"] = _results(newest)
    for other in _SHOWN:
        if other != market:
            table[MARKET_LABELS[other]] = newest[other]
    if market != "pra":
        table["Counts"] = _counts(newest, market)
        table["Saved"] = _saved(newest, market)
    return pd.DataFrame(table).reset_index(drop=True)


def _against(rows: pd.DataFrame) -> list[str]:
    return [
        ("vs " if is_home else "@ ") + str(opponent)
        for is_home, opponent in zip(rows["is_home"], rows["opponent"], strict=True)
    ]


def _ranges(rows: pd.DataFrame, stat: Stat) -> list[str | None]:
    bands = zip(rows[f"{stat}_floor"], rows[f"{stat}_ceiling"], strict=True)
    return [None if pd.isna(low) else f"{low:.0f}–{high:.0f}" for low, high in bands]


def _verdicts(rows: pd.DataFrame, stat: Stat, today: date) -> list[str | None]:
    bands = (rows[stat], rows[f"{stat}_floor"], rows[f"{stat}_ceiling"])
    is_past = rows["game_date"] < pd.Timestamp(today)
    columns = (*bands, rows["final"], is_past)
    return [_verdict(*values) for values in zip(*columns, strict=True)]


def _verdict(actual: float, floor: float, ceiling: float, final: bool, is_past: bool) -> str | None:
    if math.isnan(floor) or math.isnan(ceiling):
        return None
    if math.isnan(actual):
        return "DNP" if final else "not known" if is_past else "to come"
    if actual < floor:
        return "below"
    return "above" if actual > ceiling else "yes"


def _results(rows: pd.DataFrame) -> list[str | None]:
    """W 112–104: his team's points first."""
    points = zip(rows["team_points"], rows["opponent_points"], strict=True)
    return [
        None if pd.isna(mine) else f"{'W' if mine > theirs else 'L'} {mine:.0f}–{theirs:.0f}"
        for mine, theirs in points
    ]


def _counts(rows: pd.DataFrame, stat: Stat) -> list[str | None]:
    said = zip(rows["counted"], rows[f"{stat}_mean"], strict=True)
    return [None if pd.isna(mean) else "yes" if counted else "no" for counted, mean in said]


def _saved(rows: pd.DataFrame, stat: Stat) -> list[str | None]:
    columns = (rows[f"{stat}_mean"], rows["stored_at"], rows["sequence"])
    return [
        None
        if pd.isna(mean)
        else "not yet"
        if pd.isna(stored)
        # What came from an earlier log has no number in this one.
        else f"#{sequence:.0f}"
        if sequence
        else "yes"
        for mean, stored, sequence in zip(*columns, strict=True)
    ]


def log_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """`game_rows` as they leave the app: all stats and all bands, `game_date` a date."""
    return rows.assign(game_date=rows["game_date"].dt.date)


def log_csv(rows: pd.DataFrame) -> bytes:
    """`log_frame` as CSV (UTF-8) with a header, oldest game first."""
    return log_frame(rows).to_csv(index=False).encode()


def splits_table(
    season: pd.DataFrame, everything: pd.DataFrame, opponent: str, today: date
) -> pd.DataFrame:
    """Averages a game by where, when and against whom, one row a split with a game in it.

    `season` are the `game_rows` of one season, `everything` those of all; `opponent` is whom he
    meets next, "" without one. Games of `today` (US Eastern) and later are not among them: they
    may still be going on.
    """
    rows = []
    for name, games in _splits(_over(season, today), _over(everything, today), opponent):
        if games.empty:
            continue
        row: dict[str, object] = {"Split": name, "Games": f"{len(games)}"}
        for market in _SHOWN:
            average = games[market].mean()
            row[MARKET_LABELS[market]] = "–" if math.isnan(average) else f"{average:.1f}"
        rows.append(row)
    columns = ["Split", "Games", *(MARKET_LABELS[one] for one in _SHOWN)]
    return pd.DataFrame(rows, columns=columns).set_index("Split")


def _over(rows: pd.DataFrame, today: date) -> pd.DataFrame:
    return rows[rows["played"] & (rows["final"] | (rows["game_date"] < pd.Timestamp(today)))]


def _splits(
    season: pd.DataFrame, everything: pd.DataFrame, opponent: str
) -> Iterator[tuple[str, pd.DataFrame]]:
    yield "Season", season
    for games in _LATEST_GAMES:
        if len(season) > games:
            yield f"Last {games}", season.tail(games)
    yield "At home", season[season["is_home"]]
    yield "Away", season[~season["is_home"]]
    # No number is compared that is not known: numpy warns of it.
    margin = (season["team_points"] - season["opponent_points"]).fillna(0)
    yield "Won", season[margin > 0]
    yield "Lost", season[margin < 0]
    yield "Day after a game", season[season["rest_days"] == 0]
    yield "1 day of rest", season[season["rest_days"] == 1]
    yield "2 days of rest or more", season[season["rest_days"].fillna(0) >= 2]
    yield "Playoffs", season[season["season_type"] == "playoffs"]
    if opponent:
        yield f"Against {opponent}", season[season["opponent"] == opponent]
        yield f"Against {opponent}, all seasons", everything[everything["opponent"] == opponent]
