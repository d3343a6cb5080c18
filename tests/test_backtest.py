"""`make backtest` on a made-up league: its figures, their rows, and that nothing looks ahead."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
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
from benchmarks.backtest.sources import Yardsticks, open_data, yardstick_folder
from nba.evaluation import AVERAGES
from nba.history import day_number
from nba.stats import MARKETS
from tests.made_up_seasons import EVENINGS, SEASON, SEASONS, made_up_seasons, made_up_yardsticks

COLUMNS = {"points": "pts", "rebounds": "reb", "assists": "ast", "threes": "fg3m"}
MIDWAY = date(2030, 11, 5)
GAMES = 2 * EVENINGS

Figures = dict[str, Any]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_seasons(tmp_path_factory.mktemp("league") / "data")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def plain_run(data: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run without yardsticks."""
    return run(data, cache, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def yardsticks(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_yardsticks(data, tmp_path_factory.mktemp("yardsticks") / "data")


@pytest.fixture(scope="module")
def measured(
    data: Path, cache: Path, yardsticks: Path, tmp_path_factory: pytest.TempPathFactory
) -> Figures:
    """The figures of a run with yardsticks."""
    folder = tmp_path_factory.mktemp("measured")
    return figures_in(run(data, cache, folder, "--yardsticks", str(yardsticks)))


def run(data: Path, cache: Path, folder: Path, *words: str) -> Path:
    places = ["--data", str(data), "--folder", str(folder), "--cache", str(cache)]
    assert main([SEASON, *places, *words]) == 0
    return folder


def figures_in(folder: Path, name: str = SEASON) -> Figures:
    figures = json.loads((folder / f"backtest-{name}.json").read_text(encoding="utf-8"))
    assert isinstance(figures, dict)
    return figures


def test_the_json_has_every_key_that_was_promised(plain_run: Path, measured: Figures) -> None:
    for figures in (figures_in(plain_run), measured):
        assert tuple(figures["markets"]) == MARKETS
        for market in figures["markets"].values():
            assert {"n", "mae", "rmse", "bias", "coverage_80", "pinball"} <= set(market)
            assert set(market["baselines"]) == set(AVERAGES)
            assert {"n", "mae", "line_mae", "ewma_12_mae"} <= set(market["line_rows"])
            assert all(isinstance(market[key], float) for key in ("mae", "rmse", "pinball"))
        names = {"n", "log_loss", "brier", "accuracy", "elo_log_loss", "closing_line_log_loss"}
        assert {*names, "fivethirtyeight_log_loss"} <= set(figures["wins"])
        assert figures["wins"]["n"] == GAMES


def test_tables_and_plots_are_saved(plain_run: Path) -> None:
    beside = plain_run / f"backtest-{SEASON}"
    text = (beside / "tables.md").read_text(encoding="utf-8")
    assert f"# Backtest of {SEASON}" in text
    assert "| points " in text
    assert "vega" in (beside / "plots.html").read_text(encoding="utf-8")


def test_what_is_missing_is_null(plain_run: Path) -> None:
    figures = figures_in(plain_run)
    for market in figures["markets"].values():
        lines = market["line_rows"]
        assert lines["n"] == 0
        assert lines["mae"] is lines["line_mae"] is lines["ewma_12_mae"] is None
    assert figures["wins"]["closing_line_log_loss"] is None
    assert figures["wins"]["fivethirtyeight_log_loss"] is None
    assert isinstance(figures["wins"]["elo_log_loss"], float)


def scored_rows(data: Path, column: str) -> pd.DataFrame:
    """The last season's rows that count, with averages by pandas' own hand."""
    box = pd.read_parquet(data / "player_games.parquet").sort_values(["player_id", "game_date"])
    values = box.groupby("player_id")[column]
    box["earlier"] = values.cumcount()
    box["ewma_12"] = values.transform(lambda one: one.ewm(halflife=12).mean().shift())
    by_season = box.groupby(["player_id", "season"])[column]
    box["season_mean"] = by_season.transform(lambda one: one.expanding().mean().shift())
    return box[(box["season"] == SEASON) & (box["earlier"] >= 10) & box["season_mean"].notna()]


def test_figures_agree_with_pandas_on_the_same_rows(data: Path, plain_run: Path) -> None:
    markets = figures_in(plain_run)["markets"]
    for market, column in COLUMNS.items():
        rows = scored_rows(data, column)
        assert markets[market]["n"] == len(rows) > 300
        for name in ("season_mean", "ewma_12"):
            error = (rows[column] - rows[name]).abs().mean()
            assert markets[market]["baselines"][name] == pytest.approx(error, abs=2e-3)


def test_every_figure_is_over_the_same_rows(data: Path, plain_run: Path) -> None:
    figures = figures_in(plain_run)
    for market in figures["markets"].values():
        assert market["n"] == len(scored_rows(data, "pts"))
        assert market["negative_binomial"]["n"] == market["n"]
        by_minutes = [one["n"] for name, one in market["groups"].items() if "minutes" in name]
        assert sum(by_minutes) == market["n"]
        best = market["best_average"]
        assert market["baselines"][best] == min(market["baselines"].values())
        beside = market["differences"][best]
        assert beside["difference"] == pytest.approx(
            market["mae"] - market["baselines"][best], abs=2e-6
        )
        assert beside["low"] <= beside["difference"] <= beside["high"]
    assert figures["markets"]["points"]["negative_binomial"]["fitted_on"] == "2029-30"


def test_lines_are_compared_on_identical_rows(
    data: Path, yardsticks: Path, measured: Figures
) -> None:
    box = pd.read_parquet(data / "player_games.parquet").query("season == @SEASON")
    box = box.reset_index(drop=True)
    rebounds = measured["markets"]["rebounds"]["line_rows"]
    assert rebounds["n"] == len(box.iloc[::2])
    assert rebounds["line_mae"] == pytest.approx(
        (box["reb"].iloc[::2] - 4.5).abs().mean(), abs=1e-6
    )
    # The consensus where there is one, else the middle of the books.
    points = measured["markets"]["points"]["line_rows"]
    line = np.where(np.arange(len(box)) % 10 == 0, 9.5, 12.5)[::5]
    assert points["n"] == len(line)
    assert points["line_mae"] == pytest.approx(np.abs(box["pts"].iloc[::5] - line).mean(), abs=1e-6)
    assert points["record"]["n"] <= points["n"]
    assert measured["markets"]["minutes"]["line_rows"]["n"] == 0


def test_wins_are_compared_on_the_games_that_a_yardstick_has(measured: Figures) -> None:
    beside = measured["wins"]["beside"]
    assert (beside["closing_line"]["n"], beside["fivethirtyeight"]["n"]) == (GAMES, EVENINGS)
    assert beside["closing_line"]["model_log_loss"] == measured["wins"]["log_loss"]
    assert measured["wins"]["fivethirtyeight_log_loss"] == beside["fivethirtyeight"]["log_loss"]
    assert sum(one["n"] for one in measured["wins"]["reliability"]) == GAMES


def test_minutes_add_up_and_absences_are_heard(plain_run: Path) -> None:
    figures = figures_in(plain_run)
    out = figures["who_is_out"]
    assert out["listed_and_still_shown"] == 0
    assert out["team_games"] > 20
    for sums in (figures["shown"]["team_minutes"], out["team_minutes"]):
        assert sums["n"] == 2 * GAMES
        assert (sums["least"], sums["most"]) == pytest.approx((240.0, 240.0))
    points = out["markets"]["points"]
    assert points["n"] > 150
    assert points["difference"] == pytest.approx(
        points["mae_with"] - points["mae_without"], abs=2e-6
    )


def test_a_row_says_what_the_slate_shows(plain_run: Path) -> None:
    shown = figures_in(plain_run)["shown"]
    for market in set(MARKETS) - {"minutes"}:
        one = shown["markets"][market]
        assert one["apart"] == pytest.approx(0.0, abs=1e-4)
        assert one["mae"] == pytest.approx(one["row_mae"], abs=1e-4)
    assert shown["markets"]["minutes"]["apart"] > 0


def test_what_a_folder_need_not_have(data: Path, tmp_path: Path) -> None:
    bare = tmp_path / "data"
    bare.mkdir()
    for name in ("games", "player_games", "players", "teams"):
        (bare / f"{name}.parquet").write_bytes((data / f"{name}.parquet").read_bytes())
    figures = figures_in(run(bare, tmp_path / "cache", tmp_path / "figures"))
    assert figures["who_is_out"] is None
    assert figures["markets"]["points"]["n"] == len(scored_rows(data, "pts"))


def test_several_seasons_are_put_together(
    data: Path, cache: Path, plain_run: Path, tmp_path: Path
) -> None:
    places = ["--data", str(data), "--folder", str(tmp_path), "--cache", str(cache)]
    assert main([*SEASONS[-2:], *places]) == 0
    # And the second run of a season writes the same bytes.
    name = f"backtest-{SEASON}.json"
    assert (tmp_path / name).read_bytes() == (plain_run / name).read_bytes()
    apart = [figures_in(tmp_path, season) for season in SEASONS[-2:]]
    together = figures_in(tmp_path, "2029-30-to-2030-31")
    assert together["wins"]["n"] == sum(one["wins"]["n"] for one in apart) == 2 * GAMES
    assert set(together["wins_by_season"]) == set(SEASONS[-2:])
    for market in MARKETS:
        n = [one["markets"][market]["n"] for one in apart]
        weighted = sum(one["markets"][market]["mae"] * one["markets"][market]["n"] for one in apart)
        assert together["markets"][market]["n"] == sum(n)
        assert together["markets"][market]["mae"] == pytest.approx(weighted / sum(n), abs=1e-5)


@pytest.mark.parametrize("season", ["2030", "2030-32", "2050-51", SEASONS[0], SEASONS[2]])
def test_a_season_that_cannot_be_replayed_is_said(
    data: Path, cache: Path, tmp_path: Path, season: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--data", str(data), "--folder", str(tmp_path), "--cache", str(cache)]
    assert main([season, *places]) == 2
    assert f"failed for {season}:" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([SEASON, "--data", str(tmp_path / "none"), "--cache", str(tmp_path / "c")]) == 2
    assert "there is no such folder" in capsys.readouterr().err


def test_names_of_seasons() -> None:
    assert first_year_of("1999-00") == 1999
    with pytest.raises(NothingToReplay, match="named like 2024-25"):
        first_year_of("2024-26")


def test_another_folder_brings_its_own_yardsticks(data: Path, tmp_path: Path) -> None:
    assert yardstick_folder(data, None) == data
    assert yardstick_folder(data, tmp_path) == tmp_path


def scrambled(data: Path, folder: Path, day: date) -> Path:
    """The same games with every result on and after a date changed."""
    random = np.random.default_rng(7)
    folder.mkdir()
    for source in data.glob("*.parquet"):
        frame = pd.read_parquet(source)
        if source.stem in {"player_games", "games"}:
            late = (frame["game_date"] >= day).to_numpy()
            order = random.permutation(np.flatnonzero(late))
            for column in (one for one in frame if RESULT.search(str(one))):
                values = frame[column].copy()
                values[late] = frame[column].iloc[order].to_numpy()
                frame[column] = values
        frame.to_parquet(folder / source.name, index=False)
    return folder


def played(data: Path, cache: Path) -> Played:
    found = open_data(data, cache, lambda done, text: None)
    nothing = Yardsticks(lines=None, forecasts=None)
    return play_season(found, nothing, SEASON, prepare_projector, cache, lambda done, text: None)


RESULT = re.compile(
    "^(?:won|started|minutes|pts|.?reb|ast|stl|blk|tov|pf|f.*|plus_minus|home_win|.*_points)$"
)
FORECASTS = ("mean", "median", "floor", "ceiling", "nb_floor", "nb_ceiling", *AVERAGES)


def forecasts(
    markets: Mapping[str, pd.DataFrame], market: str, days: tuple[int, int]
) -> pd.DataFrame:
    frame = markets[market]
    inside = frame[(frame["day"] >= days[0]) & (frame["day"] <= days[1])]
    return inside.set_index(["game", "player_id"])[list(FORECASTS)]


def test_nothing_on_or_after_a_date_changes_what_was_said_of_it(
    data: Path, cache: Path, tmp_path: Path
) -> None:
    real = played(data, cache)
    other = played(scrambled(data, tmp_path / "data", MIDWAY), cache)
    midway = day_number(MIDWAY)
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


def test_a_row_does_not_depend_on_who_else_is_asked_for(data: Path, cache: Path) -> None:
    found = open_data(data, cache, lambda done, text: None)
    quiet = Setting(found.reference, found.history, SEASON, cache, lambda done, text: None)
    projector = prepare_projector(quiet)
    assert cache_key(quiet) == cache_key(quiet) != cache_key(replace(quiet, season=SEASONS[0]))
    rows = season_rows(found.history, 2030)
    some = np.flatnonzero(np.random.default_rng(3).random(len(rows)) < 0.3)
    together = projector.rows(without_results(found.history.take(rows)))
    alone = projector.rows(without_results(found.history.take(rows[some])))
    for name in ("mean", "median", "floor", "ceiling"):
        # Sums of many rows at once may differ in float32's last bit from those of few.
        np.testing.assert_allclose(getattr(together, name)[some], getattr(alone, name), rtol=1e-5)
