"""Ten days of a season that the app does not know, through the NBA's client: once whole, once hurt.

In the second run every stats endpoint accepts requests and never answers, so that games, tip-offs
and box scores come from the live feeds alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jobs.application import Application
from jobs.authority import OWNER
from nba import evaluation
from nba.history import BOX_SCORE
from nba.reference import Reference
from nba.slate import SlateProjection, project_slate
from nba.stats import BUNDLE_COLUMNS, STATS, Stat
from prediction_tracking import BaselineError, Run
from replica import Replica
from tests.applications import log_of, published, running, use_store
from tests.nba_server import NbaServer
from tests.season_site import (
    FIRST_DAY,
    LAST_DAY,
    NEXT_DAY,
    Bundle,
    Evenings,
    at,
    bundled,
    cut_bundle,
    days_between,
    figures_of,
    give_up_early,
    hurry,
    league,
    live_settings,
    require_same_projection,
    tell_no_more,
    wins_of,
)
from tests.stores import MemoryStore

WHOLE, HURT = "complete", "every stats endpoint hangs"
DAYS = days_between(FIRST_DAY, LAST_DAY)
SEASON_BEGIN = date(2023, 10, 1)

CELLS = (
    *("game_date", "team_id", "opponent_id", "is_home", "won", "minutes"),
    *("points", "rebounds", "assists", "threes", "oreb", "dreb", "stl", "blk", "tov", "pf"),
    *("fgm", "fga", "fg3a", "ftm", "fta", "plus_minus"),
)
# What the app calls otherwise than the bundle.
SOURCE_OF = {"points": "pts", "rebounds": "reb", "assists": "ast", "threes": "fg3m"}

CLOSE = 1e-6
"""Features are single precision: sums in another order differ in the seventh digit."""


@dataclass(frozen=True)
class Played:
    """The app on the morning after the tenth day.

    Attributes:
        kind: what the server did.
        logged_at_three: what was logged of a date by 15:00 Eastern time.
        grown: a reference of a bundle that holds the ten days.
    """

    kind: str
    application: Application
    evenings: Evenings
    logged_at_three: Mapping[date, Run | None]
    grown: Reference

    @property
    def replica(self) -> Replica:
        assert self.application._state is not None
        return self.application._state.replica


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return cut_bundle(tmp_path_factory.mktemp("cut"))


@pytest.fixture(scope="module", params=[WHOLE, HURT])
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cut: Bundle
) -> Iterator[Played]:
    kind = str(request.param)
    folder = tmp_path_factory.mktemp("ten_days")
    grown = cut_bundle(folder / "grown", NEXT_DAY, scheduled=NEXT_DAY)
    is_hurt = kind == HURT
    reference = tell_no_more(grown, cut) if is_hurt else Reference(grown.reference_path)
    with pytest.MonkeyPatch.context() as patch, NbaServer(league()) as server:
        hurry(patch)
        if is_hurt:
            server.stats_hangs = True
            give_up_early(patch)
        evenings = Evenings(server, at(FIRST_DAY, "06:30"))
        use_store(patch, MemoryStore(evenings.clock))
        settings = live_settings(folder / "state", cut, server.url)
        at_three: dict[date, Run | None] = {}
        with running(settings, evenings.clock, ticks=False) as application:
            for day in DAYS:
                for hour in ("06:30", "15:00", "23:30"):
                    evenings.go_to(at(day, hour))
                    evenings.tick(application, published)
                    assert application.saved_state().job_error is None
                    if hour == "15:00":
                        at_three[day] = log_of(application).current_run(day)
            evenings.go_to(at(NEXT_DAY, "06:30"))
            evenings.tick(application, published)
            yield Played(kind, application, evenings, at_three, reference)


def test_each_slate_is_in_the_store_before_its_first_tip_off(played: Played) -> None:
    before = date(2025, 1, 14)
    for day in DAYS:
        run = played.logged_at_three[day]
        assert run is not None, day
        assert run.data_as_of == before
        first_tipoff = min(
            game.tipoff_utc
            for game in played.application.reference.slate(day)
            if game.tipoff_utc is not None
        )
        assert run.stored_at is not None
        assert run.stored_at < first_tipoff
        assert run.games == len(bundled("games", day, day))
        # What came later in the evening made no other one.
        assert log_of(played.application).current_run(day) == run
        before = day
    assert len(log_of(played.application).runs()) == len(DAYS) + 1
    assert played.application.missed_slates() == []


def test_actuals_are_the_box_scores_cell_for_cell(played: Played) -> None:
    box_scores = bundled("player_games", FIRST_DAY, LAST_DAY)
    names = [SOURCE_OF.get(name, name) for name in CELLS]
    expected = {
        (str(row["game_id"]), int(row["player_id"])): tuple(
            str(row[name]) if name == "game_date" else int(row[name]) for name in names
        )
        for row in box_scores.to_dict("records")
    }
    with played.application.reference._connection() as connection:
        tables = played.application.reference._tables
        rows = connection.execute(
            f"{tables.common} SELECT game_id, player_id, {', '.join(CELLS)} FROM player_games"
            " WHERE game_date >= ?",
            (FIRST_DAY.isoformat(),),
        ).fetchall()
    found = {(str(row[0]), int(str(row[1]))): tuple(row[2:]) for row in rows}
    assert found == expected
    assert len(rows) == len(expected) > 1_500


def test_what_screens_show_of_an_evening_is_what_happened(played: Played) -> None:
    games = bundled("games", FIRST_DAY, LAST_DAY)
    box_scores = bundled("player_games", FIRST_DAY, LAST_DAY)
    for day in DAYS:
        outcome = played.application.outcome(day)
        assert outcome.scores == {
            row["game_id"]: (row["home_points"], row["away_points"])
            for row in games[games["game_date"] == day].to_dict("records")
        }
        assert outcome.actuals == {
            (row["game_id"], row["player_id"]): {stat: row[BUNDLE_COLUMNS[stat]] for stat in STATS}
            for row in box_scores[box_scores["game_date"] == day].to_dict("records")
        }


def test_nothing_is_doubted_corrected_or_overruled(played: Played) -> None:
    with played.replica.read() as connection:
        for table in ("quarantine", "result_corrections", "sync_conflicts"):
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == []
    report = played.application.season.last_ingest if played.application.season else None
    assert report is not None
    assert report.missing == ()
    assert bool(report.failures) == (played.kind == HURT)


# Figures -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def direct(played: Played) -> dict[date, SlateProjection]:
    """Every evening projected from the grown bundle."""
    return {day: project_slate(played.grown, day) for day in DAYS}


def scored(projections: Mapping[date, SlateProjection], stat: Stat) -> pd.DataFrame:
    """Projection and actual of each player who played, with the baselines' guesses."""
    projected = pd.DataFrame(
        [
            (player.game_id, player.player_id, band.mean, band.median, band.floor, band.ceiling)
            for projection in projections.values()
            for player in projection.players
            for band in [player.bands[stat]]
        ],
        columns=["game_id", "player_id", "mean", "median", "floor", "ceiling"],
    )
    history = bundled("player_games", SEASON_BEGIN, LAST_DAY)
    history = history.rename(columns={BUNDLE_COLUMNS[stat]: stat})
    history["game_date"] = pd.to_datetime(history["game_date"])
    rows = projected.merge(history, on=["game_id", "player_id"])
    rows["actual"] = rows[stat]
    return rows.join(evaluation.baselines(history, rows, stat))


@pytest.mark.parametrize("stat", STATS)
def test_errors_are_those_of_scoring_the_same_days_directly(
    played: Played, direct: dict[date, SlateProjection], stat: Stat
) -> None:
    rows = scored(direct, stat)
    found = log_of(played.application).accuracy()
    assert (found.first_date, found.last_date) == (FIRST_DAY, LAST_DAY)
    figures = found.stats[stat]
    assert (figures.n, figures.n_bands) == (len(rows), len(rows))
    assert figures.n > 1_000
    assert figures.mae == pytest.approx(evaluation.mae(rows["actual"], rows["median"]), abs=CLOSE)
    assert figures.bias == pytest.approx(evaluation.bias(rows["actual"], rows["mean"]), abs=CLOSE)
    assert figures.coverage_80 == pytest.approx(
        evaluation.coverage(rows["actual"], rows["floor"], rows["ceiling"]), abs=CLOSE
    )
    baselines: dict[str, BaselineError] = {one.name: one for one in figures.baselines}
    assert set(baselines) == set(evaluation.BASELINES)
    for name, baseline in baselines.items():
        known = rows.dropna(subset=[name])
        assert baseline.n == len(known) > 1_000
        assert baseline.mae == pytest.approx(
            evaluation.mae(known["actual"], known[name]), abs=CLOSE
        )
        assert baseline.model_mae == pytest.approx(
            evaluation.mae(known["actual"], known["median"]), abs=CLOSE
        )


def test_win_probabilities_are_scored_as_directly(
    played: Played, direct: dict[date, SlateProjection]
) -> None:
    games = bundled("games", SEASON_BEGIN, LAST_DAY).set_index("game_id")
    rows = pd.DataFrame(
        [
            (forecast.game.game_id, forecast.home_win_probability)
            for projection in direct.values()
            for forecast in projection.games
        ],
        columns=["game_id", "given"],
    ).join(games, on="game_id")
    neutral = games["is_neutral"].astype(bool)
    if played.kind == HURT:
        # The live feeds do not say so.
        neutral &= games["game_date"] < FIRST_DAY
    rates = [
        games[(games["game_date"] < day) & ~neutral]["home_win"].tail(1230).mean()
        for day in rows["game_date"]
    ]
    won = rows["home_win"].astype(float)
    found = log_of(played.application).accuracy().wins
    assert found.n == len(rows) == 71
    assert found.log_loss == pytest.approx(evaluation.log_loss(won, rows["given"]), abs=CLOSE)
    assert found.brier == pytest.approx(evaluation.brier(won, rows["given"]), abs=CLOSE)
    assert found.accuracy == pytest.approx(evaluation.accuracy(won, rows["given"]), abs=CLOSE)
    home_rate = next(one for one in found.baselines if one.name == "home_rate")
    assert home_rate.brier == pytest.approx(evaluation.brier(won, rates), abs=CLOSE)
    assert home_rate.log_loss == pytest.approx(evaluation.log_loss(won, rates), abs=CLOSE)


# What projections are made of --------------------------------------------------------------------


def test_the_next_evening_is_projected_as_if_all_had_been_bundled(played: Played) -> None:
    found = played.application.projection(NEXT_DAY)
    expected = project_slate(played.grown, NEXT_DAY)
    assert found.data_as_of == expected.data_as_of == LAST_DAY
    require_same_projection(found, expected)


def test_what_was_logged_is_what_the_grown_bundle_projects(
    played: Played, direct: dict[date, SlateProjection]
) -> None:
    with played.replica.read() as connection:
        bands = connection.execute(
            "SELECT game_id, player_id, stat, mean, median, floor, ceiling FROM predictions"
            " JOIN game_predictions USING (run_id, game_id) WHERE game_date < ?",
            (NEXT_DAY.isoformat(),),
        ).fetchall()
        chances = connection.execute(
            "SELECT game_id, home_win_probability FROM game_predictions WHERE game_date < ?",
            (NEXT_DAY.isoformat(),),
        ).fetchall()
    expected: dict[str, float] = {}
    figures: dict[tuple[str, int, str, str], float] = {}
    for projection in direct.values():
        expected |= wins_of(projection)
        figures |= figures_of(projection)
    assert {row[0]: row[1] for row in chances} == pytest.approx(expected, abs=CLOSE)
    found = {
        (game_id, player_id, stat, name): value
        for game_id, player_id, stat, *values in bands
        for name, value in zip(("mean", "median", "floor", "ceiling"), values, strict=True)
    }
    logged = {key: value for key, value in figures.items() if key[2] in STATS}
    assert found == pytest.approx(logged, rel=CLOSE, abs=CLOSE)


def test_every_question_is_answered_as_if_all_had_been_bundled(played: Played) -> None:
    reference, grown = played.application.reference, played.grown
    assert reference.data_as_of() == grown.data_as_of() == LAST_DAY
    assert reference.bundled_dates() == grown.bundled_dates()
    assert reference.seasons_since(SEASON_BEGIN) == grown.seasons_since(SEASON_BEGIN)
    asked = {"before": NEXT_DAY}
    order = ["game_date", "game_id"]
    pd.testing.assert_frame_equal(
        reference.games(**asked).sort_values(order, ignore_index=True),
        grown.games(**asked).sort_values(order, ignore_index=True),
    )
    pd.testing.assert_frame_equal(
        reference.player_games(since=FIRST_DAY), grown.player_games(since=FIRST_DAY)
    )
    found, expected = (one.history(SEASON_BEGIN, NEXT_DAY) for one in (reference, grown))
    for name, values in asdict(expected).items():
        if name != "values":
            np.testing.assert_array_equal(getattr(found, name), values, err_msg=name)
    # Of who started, feeds say more than the bundle does.
    for name in set(BOX_SCORE) - {"started"}:
        np.testing.assert_array_equal(found.column(name), expected.column(name), err_msg=name)
    for team_id in (int(one) for one in grown.teams()["team_id"]):
        asked_of_team = (team_id, SEASON_BEGIN, NEXT_DAY)
        assert reference.games_played(*asked_of_team) == grown.games_played(*asked_of_team)
        assert reference.latest_team_game(team_id, NEXT_DAY) == grown.latest_team_game(
            team_id, NEXT_DAY
        )
        pd.testing.assert_frame_equal(
            reference.recent_players(team_id, NEXT_DAY, 20),
            grown.recent_players(team_id, NEXT_DAY, 20),
        )


# Bronze, silver, and asking again ----------------------------------------------------------------


def test_silver_built_anew_from_bronze_is_what_the_state_holds(played: Played) -> None:
    report = played.application.rebuild_silver(OWNER, lambda share, words: None)
    assert report.differences == ()
    assert report.equal
    assert report.documents > 71


@pytest.mark.parametrize(
    ("table", "column"),
    [("player_games", "rebounds"), ("player_games", "stl"), ("games", "home_points")],
)
def test_a_value_that_no_response_said_shows(played: Played, table: str, column: str) -> None:
    sql = "UPDATE {0} SET {1} = {1} + {2} WHERE rowid_of = (SELECT max(rowid_of) FROM {0})"
    sql = sql.replace("rowid_of", "game_id" if table == "games" else "game_id || player_id")
    with played.replica.transaction() as transaction:
        transaction.execute(sql.format(table, column, 1))
    tampered = played.application.rebuild_silver(OWNER, lambda share, words: None)
    with played.replica.transaction() as transaction:
        transaction.execute(sql.format(table, column, -1))
    mended = played.application.rebuild_silver(OWNER, lambda share, words: None)
    assert not tampered.equal
    assert len(tampered.differences) == 1
    assert mended.equal


def test_the_daily_job_has_nothing_left_to_do(played: Played) -> None:
    published(played.application)
    before = (played.replica.status().sequence, log_of(played.application).runs())
    report = played.application.daily(OWNER, lambda share, words: None)
    assert report.ingest is not None
    assert report.ingest.learned.is_empty
    assert report.run is not None
    assert report.run.slate_date == NEXT_DAY
    assert report.missed == ()
    assert (played.replica.status().sequence, log_of(played.application).runs()) == before


def test_the_folder_of_the_state_holds_nothing_of_the_future(tmp_path: Path) -> None:
    """The bundle is cut: otherwise all of the above would be told what it has to find out."""
    bundle = cut_bundle(tmp_path)
    reference = Reference(bundle.reference_path)
    assert reference.data_as_of() == date(2025, 1, 14)
    assert reference.games()["game_date"].max() == pd.Timestamp(2025, 1, 14)
    assert reference.schedule() == ()
    assert reference.slate(FIRST_DAY) == []
