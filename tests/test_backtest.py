"""`make backtest` on a made-up league: its figures, their rows, and that nothing looks ahead."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.backtest.__main__ import main
from benchmarks.backtest.projector import (
    Setting,
    cache_key,
    prepare_projector,
    without_results,
)
from benchmarks.backtest.rows import season_rows
from benchmarks.backtest.season import NothingToReplay, Played, first_year_of, play_season
from benchmarks.backtest.sources import (
    DEFAULT_YARDSTICKS,
    Data,
    open_data,
    read_yardsticks,
    yardstick_files,
)
from benchmarks.backtest.tables import together_text
from benchmarks.backtest.together import together_figures
from nba import evaluation
from nba.evaluation import AVERAGES
from nba.history import day_number
from nba.stats import MARKETS
from tests.made_up_seasons import (
    EVENINGS,
    LONG_AGO,
    ROOKIE,
    SEASON,
    SEASONS,
    made_up_seasons,
    made_up_yardsticks,
    names_of_seasons,
    with_oddities,
)

COLUMNS = {"points": "pts", "rebounds": "reb", "assists": "ast", "threes": "fg3m"}
GAMES = 2 * EVENINGS

Figures = dict[str, Any]


@dataclass(frozen=True)
class League:
    """A data folder whose last season is tested; `is_odd` if it has all of `with_oddities`."""

    data: Path
    seasons: tuple[str, ...]
    is_odd: bool

    @property
    def season(self) -> str:
        return self.seasons[-1]

    @property
    def year(self) -> int:
        return int(self.season[:4])

    @property
    def midway(self) -> date:
        return date(self.year, 11, 5)


# Years ahead line-ups come from rosters, long ago from the teams' own past.
@pytest.fixture(scope="module", params=["years ahead", "long ago, with oddities"])
def league(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> League:
    folder = tmp_path_factory.mktemp("league") / "data"
    if request.param == "years ahead":
        return League(made_up_seasons(folder), SEASONS, is_odd=False)
    data = with_oddities(made_up_seasons(folder, first_year=LONG_AGO))
    return League(data, names_of_seasons(LONG_AGO), is_odd=True)


@pytest.fixture(scope="module")
def cache(league: League, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def plain_run(league: League, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run without yardsticks."""
    return run(league, cache, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def plain(league: League, plain_run: Path) -> Figures:
    return figures_in(plain_run, league.season)


@pytest.fixture(scope="module")
def yardsticks(league: League, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_yardsticks(league.data, tmp_path_factory.mktemp("yardsticks") / "data")


@pytest.fixture(scope="module")
def measured(
    league: League, cache: Path, yardsticks: Path, tmp_path_factory: pytest.TempPathFactory
) -> Figures:
    """The figures of a run with yardsticks."""
    folder = tmp_path_factory.mktemp("measured")
    return figures_in(run(league, cache, folder, yardsticks), league.season)


def run(league: League, cache: Path, folder: Path, yardsticks: Path | None = None) -> Path:
    places = places_of(league, cache, folder, yardsticks)
    assert main([league.season, *places]) == 0
    return folder


def places_of(
    league: League, cache: Path, folder: Path, yardsticks: Path | None = None
) -> list[str]:
    words = {"data": league.data, "folder": folder, "cache": cache, "yardsticks": yardsticks}
    return [word for name, path in words.items() if path for word in (f"--{name}", str(path))]


def figures_in(folder: Path, name: str) -> Figures:
    figures = json.loads((folder / f"backtest-{name}.json").read_text(encoding="utf-8"))
    assert isinstance(figures, dict)
    return figures


def test_the_json_has_every_key_that_was_promised(plain: Figures, measured: Figures) -> None:
    for figures in (plain, measured):
        assert tuple(figures["markets"]) == MARKETS
        for market in figures["markets"].values():
            assert {"n", "mae", "rmse", "bias", "coverage_80", "pinball"} <= set(market)
            assert set(market["baselines"]) == set(AVERAGES)
            assert {"n", "mae", "line_mae", "ewma_12_mae"} <= set(market["line_rows"])
            assert all(isinstance(market[key], float) for key in ("mae", "rmse", "pinball"))
        names = {"n", "log_loss", "brier", "accuracy", "elo_log_loss", "closing_line_log_loss"}
        assert {*names, "fivethirtyeight_log_loss"} <= set(figures["wins"])
        assert figures["wins"]["n"] == GAMES


def test_tables_and_plots_are_saved(league: League, plain_run: Path) -> None:
    beside = plain_run / f"backtest-{league.season}"
    text = (beside / "tables.md").read_text(encoding="utf-8")
    assert f"# Backtest of {league.season}" in text
    assert "| points " in text
    assert "vega" in (beside / "plots.html").read_text(encoding="utf-8")


def test_what_is_missing_is_null(plain: Figures) -> None:
    for market in plain["markets"].values():
        lines = market["line_rows"]
        assert lines["n"] == 0
        assert lines["mae"] is lines["line_mae"] is lines["ewma_12_mae"] is None
    assert plain["wins"]["closing_line_log_loss"] is None
    assert plain["wins"]["fivethirtyeight_log_loss"] is None
    assert isinstance(plain["wins"]["elo_log_loss"], float)


def scored_rows(league: League, column: str) -> pd.DataFrame:
    """The last season's rows that count, with averages by pandas' own hand."""
    box = pd.read_parquet(league.data / "player_games.parquet")
    box = box.sort_values(["player_id", "game_date", "game_id"]).reset_index(drop=True)
    values = box.groupby("player_id")[column]
    box["earlier"] = values.cumcount()
    box["ewma_12"] = values.transform(lambda one: one.ewm(halflife=12).mean().shift())
    by_season = box.groupby(["player_id", "season"])[column]
    box["season_mean"] = by_season.transform(lambda one: one.expanding().mean().shift())
    latest = by_season.mean().groupby("player_id").shift().rename("latest").reset_index()
    box = box.merge(latest, on=["player_id", "season"])
    is_first = box.groupby(["player_id", "season"]).cumcount() == 0
    box.loc[is_first, "season_mean"] = box["latest"]
    # Two games on one date see the same past.
    seen = ["earlier", "ewma_12", "season_mean"]
    first = box.groupby(["player_id", "game_date"])[seen].head(1).reindex(box.index)
    box[seen] = first.where(~box.duplicated(["player_id", "game_date"])).ffill()
    counts = (box["earlier"] >= 10) & box[column].notna()
    return box[(box["season"] == league.season) & counts]


def test_figures_agree_with_pandas_on_the_same_rows(league: League, plain: Figures) -> None:
    for market, column in COLUMNS.items():
        rows = scored_rows(league, column)
        assert plain["markets"][market]["n"] == len(rows) > 300
        for name in ("season_mean", "ewma_12"):
            error = (rows[column] - rows[name]).abs().mean()
            assert plain["markets"][market]["baselines"][name] == pytest.approx(error, abs=2e-3)


def test_every_figure_is_over_the_same_rows(league: League, plain: Figures) -> None:
    for name, market in plain["markets"].items():
        column = {**COLUMNS, "minutes": "minutes", "pra": "pts"}[name]
        assert market["n"] == len(scored_rows(league, column))
        assert market["negative_binomial"]["n"] == market["n"]
        by_minutes = [one["n"] for group, one in market["groups"].items() if "minutes" in group]
        assert sum(by_minutes) == market["n"]
        best = market["best_average"]
        assert market["baselines"][best] == min(market["baselines"].values())
        beside = market["differences"][best]
        assert beside["difference"] == pytest.approx(
            market["mae"] - market["baselines"][best], abs=2e-6
        )
        assert beside["low"] <= beside["difference"] <= beside["high"]
    rival = plain["markets"]["points"]["negative_binomial"]
    assert rival["fitted_on"] == league.seasons[-2]


def test_lines_are_compared_on_identical_rows(league: League, measured: Figures) -> None:
    box = pd.read_parquet(league.data / "player_games.parquet")
    box = box[box["season"] == league.season].reset_index(drop=True)
    # A rookie's first game has no average that a line could be compared with.
    debut = (box["player_id"] == ROOKIE) & ~box.duplicated("player_id")
    rebounds = measured["markets"]["rebounds"]["line_rows"]
    some = box.iloc[::2].loc[~debut]
    assert rebounds["n"] == len(some)
    assert rebounds["line_mae"] == pytest.approx((some["reb"] - 4.5).abs().mean(), abs=1e-6)
    # The consensus where there is one, else the middle of the books.
    points = measured["markets"]["points"]["line_rows"]
    line = pd.Series(np.where(np.arange(len(box)) % 10 == 0, 9.5, 12.5))
    some = box.iloc[::5].loc[~debut]
    assert points["n"] == len(some)
    assert points["line_mae"] == pytest.approx(
        (some["pts"] - line[some.index]).abs().mean(), abs=1e-6
    )
    assert points["record"]["n"] <= points["n"]
    assert measured["markets"]["minutes"]["line_rows"]["n"] == 0


def test_wins_are_compared_on_the_games_that_a_yardstick_has(measured: Figures) -> None:
    beside = measured["wins"]["beside"]
    assert (beside["closing_line"]["n"], beside["fivethirtyeight"]["n"]) == (GAMES, EVENINGS)
    assert beside["closing_line"]["model_log_loss"] == measured["wins"]["log_loss"]
    assert measured["wins"]["fivethirtyeight_log_loss"] == beside["fivethirtyeight"]["log_loss"]
    assert sum(one["n"] for one in measured["wins"]["reliability"]) == GAMES


def test_minutes_add_up_and_absences_are_heard(plain: Figures) -> None:
    out = plain["who_is_out"]
    assert out["listed_and_still_shown"] == 0
    assert out["team_games"] > 20
    for sums in (plain["shown"]["team_minutes"], out["team_minutes"]):
        assert sums["n"] == 2 * GAMES
        assert (sums["least"], sums["most"]) == pytest.approx((240.0, 240.0))
    points = out["markets"]["points"]
    assert points["n"] > 150
    assert points["difference"] == pytest.approx(
        points["mae_with"] - points["mae_without"], abs=2e-6
    )


def test_a_row_says_what_the_slate_shows(league: League, plain: Figures) -> None:
    shown = plain["shown"]
    for market in set(MARKETS) - {"minutes"}:
        one = shown["markets"][market]
        assert one["apart"] == pytest.approx(0.0, abs=1e-4)
        # On the evening of a trade he is shown for the team that he has left.
        if not league.is_odd:
            assert one["mae"] == pytest.approx(one["row_mae"], abs=1e-4)
    assert shown["markets"]["minutes"]["apart"] > 0


def test_what_of_the_data_is_odd_is_said(league: League, plain_run: Path, plain: Figures) -> None:
    text = (plain_run / f"backtest-{league.season}" / "tables.md").read_text(encoding="utf-8")
    if not league.is_odd:
        assert plain["notes"] == []
        return
    assert [note.split(" player-games have no ")[-1] for note in plain["notes"][:3]] == [
        "minutes.",
        "threes.",
        "shots.",
    ]
    assert plain["notes"][3] == f"Not in players.parquet: {ROOKIE}."
    assert len(plain["notes"]) == 4
    assert all(f"- {note}" in text for note in plain["notes"])


def test_games_without_a_slate_are_said(league: League, cache: Path, tmp_path: Path) -> None:
    found = open_data(league.data, cache, quiet)
    lost = pd.read_parquet(league.data / "games.parquet")
    lost = lost[lost["game_id"] != lost["game_id"].max()]
    folder = copied(league.data, tmp_path / "data")
    lost.to_parquet(folder / "games.parquet", index=False)
    with_fewer = replayed(open_data(folder, tmp_path, quiet), league.season, tmp_path)
    assert len(with_fewer.games) == GAMES - 1
    [note] = set(with_fewer.notes) - set(replayed(found, league.season, cache).notes)
    assert note.startswith(f"1 of {GAMES} games with box scores are on no slate with a final score")


def test_what_a_folder_need_not_have(league: League, tmp_path: Path) -> None:
    bare = tmp_path / "data"
    bare.mkdir()
    for name in ("games", "player_games", "players", "teams"):
        (bare / f"{name}.parquet").write_bytes((league.data / f"{name}.parquet").read_bytes())
    other = replace(league, data=bare)
    figures = figures_in(run(other, tmp_path / "cache", tmp_path / "figures"), league.season)
    assert figures["who_is_out"] is None
    assert figures["markets"]["points"]["n"] == len(scored_rows(league, "pts"))


def test_several_seasons_are_put_together(
    league: League, cache: Path, plain_run: Path, tmp_path: Path
) -> None:
    both = league.seasons[-2:]
    # In whatever order they are named.
    assert main([*reversed(both), *places_of(league, cache, tmp_path)]) == 0
    # And the second run of a season writes the same bytes.
    name = f"backtest-{league.season}.json"
    assert (tmp_path / name).read_bytes() == (plain_run / name).read_bytes()
    apart = [figures_in(tmp_path, season) for season in both]
    together = figures_in(tmp_path, f"{both[0]}-to-{both[1]}")
    assert together["seasons"] == list(both)
    assert together["wins"]["n"] == sum(one["wins"]["n"] for one in apart) == 2 * GAMES
    assert set(together["wins_by_season"]) == set(both)
    assert together["goals"] == together["wins_averages"] == []
    for market in MARKETS:
        n = [one["markets"][market]["n"] for one in apart]
        weighted = sum(one["markets"][market]["mae"] * one["markets"][market]["n"] for one in apart)
        assert together["markets"][market]["n"] == sum(n)
        assert together["markets"][market]["mae"] == pytest.approx(weighted / sum(n), abs=1e-5)


@pytest.mark.parametrize("season", ["2030", "2030-32", "2050-51", "the first", "the third"])
def test_a_season_that_cannot_be_replayed_is_said(
    league: League, cache: Path, tmp_path: Path, season: str, capsys: pytest.CaptureFixture[str]
) -> None:
    season = {"the first": league.seasons[0], "the third": league.seasons[2]}.get(season, season)
    assert main([season, *places_of(league, cache, tmp_path)]) == 2
    assert f"failed for {season}:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--folder", str(tmp_path), "--cache", str(tmp_path / "c")]
    assert main([SEASON, "--data", str(tmp_path / "none"), *places]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    assert main([SEASON, "--cache", str(tmp_path / "file" / "cache")]) == 2
    assert "Name places that can be written to" in capsys.readouterr().err


def test_names_of_seasons() -> None:
    assert first_year_of("1999-00") == 1999
    with pytest.raises(NothingToReplay, match="named like 2024-25"):
        first_year_of("2024-26")


def test_each_yardstick_is_the_folders_own_or_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, usual, asked = (tmp_path / name for name in ("data", "usual", "asked"))
    monkeypatch.setattr("benchmarks.backtest.sources.DEFAULT_YARDSTICKS", usual)
    for folder in (data, usual, asked):
        folder.mkdir()
    for folder in (data, usual):
        (folder / "forecasts.parquet").touch()
    (usual / "prop_lines_points.parquet").touch()
    found = yardstick_files(data, None)
    assert found == {
        "forecasts.parquet": data / "forecasts.parquet",
        "prop_lines_points.parquet": usual / "prop_lines_points.parquet",
    }
    assert yardstick_files(data, asked) == {}
    assert DEFAULT_YARDSTICKS.parts[-2:] == ("shared", "data")


def test_the_run_says_which_yardsticks_it_has(
    league: League,
    cache: Path,
    yardsticks: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (yardsticks / "prop_lines_points.parquet").rename(tmp_path / "elsewhere")
    try:
        run(league, cache, tmp_path / "figures", yardsticks)
    finally:
        (tmp_path / "elsewhere").rename(yardsticks / "prop_lines_points.parquet")
    said = capsys.readouterr().out
    assert f"Yardstick forecasts.parquet: {yardsticks}" in said
    assert "Yardstick prop_lines_points.parquet: none" in said


def test_the_closing_line_is_the_spreads_and_the_moneylines_where_that_is_missing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "forecasts.parquet"
    both = ["market_implied_seanqin", "closing_line"]
    rows = pd.DataFrame(
        {
            "game_id": ["0022200001"] * 2 + ["0022200002"] * 2 + ["0022200003"],
            "source": [*both, *both, "closing_line"],
            "home_win_prob": [0.61, 0.7, np.nan, 0.8, 0.9],
            "home_spread": [-3.0, -4.0, np.nan, -5.0, -6.0],
            "total": [220.0, 221.0, np.nan, 223.0, np.nan],
        }
    )
    rows.to_parquet(path)
    forecasts = read_yardsticks({"forecasts.parquet": path}).forecasts
    assert forecasts is not None
    assert forecasts["closing"].tolist() == [0.61, 0.8, 0.9]
    assert forecasts["closing_spread"].tolist() == [3.0, 5.0, 6.0]
    assert forecasts["closing_total"].tolist()[:2] == [220.0, 223.0]


def quiet(done: float, text: str) -> None:
    """Nobody looks."""


def copied(data: Path, folder: Path) -> Path:
    folder.mkdir()
    for source in data.glob("*.parquet"):
        (folder / source.name).write_bytes(source.read_bytes())
    return folder


def replayed(data: Data, season: str, cache: Path, forecasts: Path | None = None) -> Played:
    files = {} if forecasts is None else {"forecasts.parquet": forecasts}
    return play_season(data, read_yardsticks(files), season, prepare_projector, cache, quiet)


def test_wins_of_several_seasons_are_averaged_on_identical_games(
    league: League, cache: Path, yardsticks: Path
) -> None:
    found = open_data(league.data, cache, quiet)
    one = replayed(found, league.season, cache, yardsticks / "forecasts.parquet")
    six = [replace(one, season=f"20{year}-{year + 1}") for year in range(19, 25)]
    # In one season the yardstick speaks of a few games only.
    few = six[1].games.assign(fivethirtyeight=np.nan)
    few.loc[:2, "fivethirtyeight"] = 0.6
    six[1] = replace(six[1], games=few)
    figures = together_figures(six[::-1])
    beside = {season: part["beside"] for season, part in figures["wins_by_season"].items()}
    assert beside["2020-21"]["fivethirtyeight"]["n"] == 3
    assert beside["2020-21"]["fivethirtyeight"]["model_log_loss"] == pytest.approx(
        evaluation.log_loss(few["home_won"][:3], few["given"][:3])
    )
    averages = {
        (part["against"], part["seasons"][0], part["seasons"][-1]): part
        for part in figures["wins_averages"]
    }
    early = averages["fivethirtyeight", "2019-20", "2021-22"]
    late = averages["closing_line", "2022-23", "2024-25"]
    assert (early["n"], late["n"]) == (2 * EVENINGS + 3, 3 * GAMES)
    for part in ("log_loss", "model_log_loss"):
        three = [beside[f"20{year}-{year + 1}"]["fivethirtyeight"][part] for year in (19, 20, 21)]
        assert early[part] == pytest.approx(sum(three) / 3)
    assert early["difference"] == pytest.approx(early["model_log_loss"] - early["log_loss"])
    text = together_text(figures)
    for goal in figures["goals"]:
        assert f"| {goal['goal']} " in text
    goals = {goal["goal"]: goal for goal in figures["goals"]}
    assert goals["home win, calibration slope"]["n"] == 6 * GAMES
    against = goals["home win, log loss beside fivethirtyeight, average of seasons"]
    assert against["holds"] == (early["difference"] <= 0)
    points = goals["points, MAE beside EWMA 8, as a share"]
    both = together_figures(six[4:])["markets"]["points"]
    assert points["seasons"] == ["2023-24", "2024-25"]
    assert points["found"] == pytest.approx(both["mae"] / both["baselines"]["ewma_8"] - 1)
    # Goals of seasons that were not all played are not spoken of.
    names = {goal["goal"].split(",")[0] for goal in together_figures(six[:3])["goals"]}
    assert names == {"home win"}


RESULT = re.compile(
    "^(?:won|started|minutes|pts|.?reb|ast|stl|blk|tov|pf|f.*|plus_minus|home_win|.*_points)$"
)
FORECASTS = ("mean", "median", "floor", "ceiling", "nb_floor", "nb_ceiling", *AVERAGES)


def scrambled(data: Path, folder: Path, day: date) -> Path:
    """The same games with every result on and after a date changed."""
    random = np.random.default_rng(7)
    for name in ("player_games", "games"):
        frame = pd.read_parquet(data / f"{name}.parquet")
        late = (frame["game_date"] >= day).to_numpy()
        order = random.permutation(np.flatnonzero(late))
        for column in (one for one in frame if RESULT.search(str(one))):
            values = frame[column].copy()
            values[late] = frame[column].iloc[order].to_numpy()
            frame[column] = values
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def recast(data: Path, folder: Path, day: date, first_evening: date) -> Path:
    """The same with other players, teams and opponents in every box score from a date on.

    And other teams in the games after the first evening; whom that has was known beforehand.
    """
    scrambled(data, folder, day)
    random = np.random.default_rng(8)
    box = pd.read_parquet(folder / "player_games.parquet")
    late = box["game_date"] >= day
    people = np.unique(box["player_id"])
    other = dict(zip(people, np.roll(people, 11), strict=True))
    box.loc[late, "player_id"] = box["player_id"].map(other)
    turned = late & box["game_id"].isin(random.permutation(box["game_id"].unique())[::2])
    sides = {"team_id": "opponent_id", "opponent_id": "team_id"}
    other_side = box[turned].rename(columns=sides).assign(is_home=~box["is_home"].astype(bool))
    box = pd.concat([box[~turned], other_side])
    box.to_parquet(folder / "player_games.parquet", index=False)
    games = pd.read_parquet(folder / "games.parquet")
    after = games["game_date"] > first_evening
    names = {
        f"{side}_{part}": f"{other}_{part}"
        for side, other in (("home", "away"), ("away", "home"))
        for part in ("team_id", "team")
    }
    games = pd.concat([games[~after], games[after].rename(columns=names)])
    games.to_parquet(folder / "games.parquet", index=False)
    return folder


def forecasts(
    markets: Mapping[str, pd.DataFrame], market: str, days: tuple[int, int]
) -> pd.DataFrame:
    frame = markets[market]
    inside = frame[(frame["day"] >= days[0]) & (frame["day"] <= days[1])]
    return inside.set_index(["game", "player_id"])[list(FORECASTS)]


def test_nothing_on_or_after_a_date_changes_what_was_said_of_it(
    league: League, cache: Path, tmp_path: Path
) -> None:
    real = replayed(open_data(league.data, cache, quiet), league.season, cache)
    folder = scrambled(league.data, copied(league.data, tmp_path / "data"), league.midway)
    other = replayed(open_data(folder, cache, quiet), league.season, cache)
    midway = day_number(league.midway)
    first_evening = int(min(day for day in real.games["day"] if day >= midway))
    for market in MARKETS:
        both = [forecasts(one.markets, market, (0, first_evening)) for one in (real, other)]
        known = both[1].index
        assert len(both[0]) == len(known) > 150
        pd.testing.assert_frame_equal(both[0].loc[known], both[1], check_exact=True)
        later = [
            forecasts(one.markets, market, (first_evening + 1, 10**6)) for one in (real, other)
        ]
        assert not later[0].loc[later[1].index].equals(later[1])
    games, other_games = (one.games[one.games["day"] <= first_evening] for one in (real, other))
    said = ["game", "given", "elo"]
    pd.testing.assert_frame_equal(games[said], other_games[said], check_exact=True)
    shown, other_shown = (
        one.replay.players[one.replay.players["game"].isin(games["game"])] for one in (real, other)
    )
    pd.testing.assert_frame_equal(shown, other_shown, check_exact=True)


def test_nor_does_it_matter_who_plays_for_whom_from_that_date_on(
    league: League, cache: Path, tmp_path: Path
) -> None:
    found = open_data(league.data, cache, quiet)
    days = sorted(set(pd.read_parquet(league.data / "games.parquet")["game_date"]))
    evenings = [day for day in days if day >= date(league.year, 8, 1)]
    first_evening = min(day for day in evenings if day >= league.midway)
    folder = copied(league.data, tmp_path / "data")
    other = open_data(recast(league.data, folder, league.midway, first_evening), cache, quiet)
    rows = season_rows(found.history, league.year)
    rows = rows[found.history.day[rows] <= day_number(first_evening)]
    asked = without_results(found.history.take(rows))
    real, recast_one = (
        prepare_projector(Setting(one.reference, one.history, league.season, cache, quiet))
        for one in (found, other)
    )
    for name in ("mean", "median", "floor", "ceiling"):
        both = [getattr(one.rows(asked), name) for one in (real, recast_one)]
        np.testing.assert_array_equal(*both)
    for day in (one for one in evenings if one <= first_evening):
        slates = [one.slate(day) for one in (real, recast_one)]
        games, other_games = (
            [(one.game.game_id, one.home_win_probability, one.home_points) for one in slate.games]
            for slate in slates
        )
        assert games == other_games
        people, other_people = (
            [
                (one.player_id, one.team_id, market, band.mean, band.median, band.floor)
                for one in slate.players
                for market, band in one.bands.items()
            ]
            for slate in slates
        )
        assert people == other_people
        assert len(people) > 20


def test_a_row_does_not_depend_on_who_else_is_asked_for(league: League, cache: Path) -> None:
    found = open_data(league.data, cache, quiet)
    setting = Setting(found.reference, found.history, league.season, cache, quiet)
    projector = prepare_projector(setting)
    other_season = replace(setting, season=league.seasons[0])
    assert cache_key(setting) == cache_key(setting) != cache_key(other_season)
    rows = season_rows(found.history, league.year)
    some = np.flatnonzero(np.random.default_rng(3).random(len(rows)) < 0.3)
    together = projector.rows(without_results(found.history.take(rows)))
    alone = projector.rows(without_results(found.history.take(rows[some])))
    for name in ("mean", "median", "floor", "ceiling"):
        np.testing.assert_array_equal(getattr(together, name)[some], getattr(alone, name))
