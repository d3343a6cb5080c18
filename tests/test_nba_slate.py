"""Whole slates on the real bundled seasons."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nba.errors import UnknownSlate
from nba.model import shipped_model
from nba.reference import Reference, build_reference
from nba.seasons import tonight
from nba.slate import SlateProjection, project_slate
from nba.stats import COUNTS, MARKETS
from tests.nba_bundle import DATA, final_score, played, small_bundle

REPLAY = date(2024, 1, 15)


def team_minutes(slate: SlateProjection) -> dict[tuple[str, int], float]:
    minutes: dict[tuple[str, int], float] = defaultdict(float)
    for player in slate.players:
        minutes[player.game_id, player.team_id] += player.bands["minutes"].mean
    return minutes


@pytest.mark.parametrize("day", [date(2026, 11, 20), REPLAY, date(2020, 8, 1), date(2023, 10, 24)])
def test_a_slate_is_whole(reference: Reference, day: date) -> None:
    slate = project_slate(reference, day)
    games = {one.game.game_id: one.game for one in slate.games}
    minutes = team_minutes(slate)
    assert len(minutes) == 2 * len(games)
    assert list(minutes.values()) == pytest.approx([240.0] * len(minutes))
    for player in slate.players:
        game = games[player.game_id]
        teams = (game.home_team, game.away_team)
        assert (player.team, player.opponent) == (teams if player.is_home else teams[::-1])
        assert player.team_id == (game.home_team_id if player.is_home else game.away_team_id)
        assert tuple(player.bands) == MARKETS
        for market, band in player.bands.items():
            assert 0.0 <= band.floor <= band.median <= band.ceiling
            # Of what seldom happens nine in ten evenings bring none, yet the average is above none.
            seldom = market in COUNTS and band.ceiling == 0.0
            assert band.floor <= band.mean <= (0.5 if seldom else band.ceiling)
        assert player.last_game is None or player.last_game < day
        assert player.from_prior == (player.games_of_history < 10)
    assert len({(one.game_id, one.player_id) for one in slate.players}) == len(slate.players)
    assert all(0.02 < one.home_win_probability < 0.98 for one in slate.games)


def test_the_slate_of_2026_11_20(reference: Reference) -> None:
    slate = project_slate(reference, date(2026, 11, 20))
    assert slate.model_version == shipped_model().version
    assert slate.data_as_of == date(2025, 6, 22)
    assert (len(slate.games), len(slate.players), slate.undecided_games) == (9, 180, 0)
    assert slate.games[0].game.tipoff_utc == datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
    okc = {one.player_name: one for one in slate.players if one.team == "OKC"}
    star = okc["Shai Gilgeous-Alexander"]
    assert 26 < star.bands["points"].mean < 36
    assert star.bands["minutes"].mean > 33
    assert star.last_game == date(2025, 6, 22)


def test_newcomers_are_marked(reference: Reference) -> None:
    slate = project_slate(reference, date(2026, 11, 20))
    newcomers = [one for one in slate.players if one.games_of_history == 0]
    assert newcomers
    for player in newcomers:
        assert player.from_prior
        assert player.last_game is None
        assert 2 < player.bands["points"].mean < 8


def test_an_empty_evening_has_no_games_and_tonight_passes_it_over(reference: Reference) -> None:
    thanksgiving = date(2026, 11, 26)
    slate = project_slate(reference, thanksgiving)
    assert (slate.games, slate.players, slate.undecided_games) == ((), (), 0)
    noon = datetime(2026, 11, 26, 17, tzinfo=UTC)
    assert tonight(reference.schedule(), noon) == date(2026, 11, 27)


def test_undecided_games_are_counted_and_not_projected(reference: Reference) -> None:
    slate = project_slate(reference, date(2026, 12, 4))
    assert (slate.games, slate.players, slate.undecided_games) == ((), (), 2)


@pytest.mark.parametrize("day", [date(1999, 1, 1), date(2025, 12, 25), date(2030, 1, 1)])
def test_a_date_outside_every_season_is_refused(reference: Reference, day: date) -> None:
    with pytest.raises(UnknownSlate, match="outside every season") as caught:
        project_slate(reference, day)
    assert caught.value.key == day.isoformat()


def test_a_replay_resembles_that_evening(reference: Reference) -> None:
    slate = project_slate(reference, REPLAY)
    assert slate.data_as_of == date(2024, 1, 14)
    assert len(slate.games) == 11
    actual = reference.player_games(on=REPLAY).set_index("player_id")["points"]
    errors = [
        abs(one.bands["points"].mean - actual[one.player_id])
        for one in slate.players
        if one.player_id in actual.index
    ]
    assert len(errors) > 0.75 * len(actual)
    assert np.mean(errors) < 6.0


def test_a_traded_player_appears_once_and_for_his_new_team(reference: Reference) -> None:
    # OG Anunoby went from Toronto to New York on 2023-12-30.
    players = project_slate(reference, REPLAY).players
    assert [one.team for one in players if one.player_name == "OG Anunoby"] == ["NYK"]


def test_the_first_evening_of_the_bundle_knows_nobody(reference: Reference) -> None:
    slate = project_slate(reference, date(2015, 10, 27))
    assert (len(slate.games), slate.players, slate.data_as_of) == (3, (), None)


def test_the_same_two_teams_twice_on_a_date(tmp_path: Path) -> None:
    day = date(2024, 1, 15)
    rows = [
        played(number, date(2024, 1, 10), "0022300001", minutes=30, pts=number)
        for number in range(1, 9)
    ]
    scores = [
        final_score("0022300001", date(2024, 1, 10), 110, 100),
        final_score("0022300002", day, 90, 120),
        final_score("0022300003", day, 120, 90),
    ]
    scored = [played(1, day, "0022300002", pts=60, minutes=48)]
    bundle = small_bundle(tmp_path / "data", rows + scored, scores)
    slate = project_slate(Reference(build_reference(bundle, tmp_path / "r.db")), day)
    first, second = slate.games
    assert first.home_win_probability == second.home_win_probability
    by_game = {
        game_id: [(one.player_id, one.bands) for one in slate.players if one.game_id == game_id]
        for game_id in (first.game.game_id, second.game.game_id)
    }
    assert len(by_game["0022300002"]) == 8
    assert by_game["0022300002"] == by_game["0022300003"]
    assert max(bands["points"].ceiling for _, bands in by_game["0022300002"]) < 15


@pytest.fixture(scope="module")
def scrambled(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The real bundle with everything on and after the replay's date changed or removed."""
    folder = tmp_path_factory.mktemp("scrambled")
    random = np.random.default_rng(20240115)
    for source in DATA.glob("*.parquet"):
        frame = pd.read_parquet(source)
        if source.stem in {"player_games", "games", "player_absences"}:
            frame = _scrambled_after(frame, random)
        if source.stem == "players":
            people = ["first_game", "last_game", "games", "last_team", "roster_team_2026_08"]
            order = random.permutation(len(frame))
            frame[people] = frame[people].iloc[order].to_numpy()
        frame.to_parquet(folder / source.name, index=False)
    return Reference(build_reference(folder, folder / "reference.db"))


def _scrambled_after(frame: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    future = pd.to_datetime(frame["game_date"]) >= pd.Timestamp(REPLAY)
    today = pd.to_datetime(frame["game_date"]) == pd.Timestamp(REPLAY)
    is_games = "home_points" in frame
    # The date's own games are its schedule, which is known; only their results are not.
    gone = future & (random.random(len(frame)) < 0.5) & ~(today & is_games)
    for column in frame.columns:
        if column in {"season", "season_type", "game_date", "game_id", "player_id", "source"}:
            continue
        if is_games and column not in {"home_points", "away_points", "home_win"}:
            continue
        shuffled = frame[column].copy()
        order = random.permutation(np.flatnonzero(future))
        shuffled.loc[future] = frame[column].iloc[order].to_numpy()
        frame[column] = shuffled
    return frame[~gone]


def test_nothing_after_a_date_changes_its_projection(
    reference: Reference, scrambled: Reference
) -> None:
    day = pd.Timestamp(REPLAY)
    real, other = reference.player_games(), scrambled.player_games()
    assert len(other) < len(real) - 10_000
    earlier = [frame[frame["game_date"] < day].reset_index(drop=True) for frame in (real, other)]
    assert earlier[0].equals(earlier[1])
    assert project_slate(scrambled, REPLAY) == project_slate(reference, REPLAY)


def test_the_scrambling_would_be_noticed_a_day_later(
    reference: Reference, scrambled: Reference
) -> None:
    later = date(2024, 1, 17)
    assert project_slate(scrambled, later) != project_slate(reference, later)
