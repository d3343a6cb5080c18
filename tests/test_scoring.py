"""The track record: the same figures as accuracy gives, kept and brought up to date by slate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import apsw
import numpy as np
import pytest

from nba import evaluation
from nba.stats import STATS
from prediction_tracking import Origin, PredictionLog
from replica import LocalCorrupt, Replica
from tests.scored_seasons import FIRST_DAY, fill_season
from tests.slates import (
    BRUNSON,
    PAST,
    TATUM,
    ManualClock,
    opened,
    past,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore
from tracking import scoring_cache
from tracking.accuracy import Choice
from tracking.scoring import Scoring
from tracking.scoring_cache import ScoreCache, ScoresDamaged
from tracking.scoring_figures import GroupScore
from tracking.scoring_intervals import FEWEST_DATES, differences_of, ratios_of
from tracking.scoring_sums import ROLES, value_label

BEFORE = datetime(2025, 10, 1, 12, tzinfo=UTC)
LIVE = Choice(Origin.LIVE, None, None, None)
REPLAY = Choice(Origin.REPLAY, None, None, None)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


@contextmanager
def season(
    folder: Path, slates: int, reference: Path | None = None
) -> Iterator[tuple[Replica, PredictionLog]]:
    """A log with a live season, published before its tip-offs."""
    clock = ManualClock(BEFORE)
    with opened(folder / "state.db", MemoryStore(clock), clock, reference=reference) as both:
        fill_season(both[0], slates)
        both[0].sync_now()
        yield both


def same_as_accuracy(log: PredictionLog, choice: Choice) -> None:
    """Every figure that both compute is the same."""
    log.scoring.update()
    record = log.scoring.track_record(choice)
    wanted = log.accuracy(
        origin=choice.origin,
        since=choice.since,
        until=choice.until,
        model_version=choice.model_version,
    )
    assert (record.first_date, record.last_date) == (wanted.first_date, wanted.last_date)
    for stat in record.stats:
        other = wanted.stats[stat.stat]
        if stat.score is None:
            assert other.n == 0
            continue
        score = stat.score
        assert (score.n, score.n_bands) == (other.n, other.n_bands)
        assert score.mae.value == pytest.approx(other.mae)
        assert score.bias == pytest.approx(other.bias)
        assert (score.coverage and score.coverage.value) == pytest.approx(other.coverage_80)
        for baseline in other.baselines:
            found = score.baselines[baseline.name]
            assert found.n == baseline.n
            assert found.mae == pytest.approx(baseline.mae)
            assert found.model_mae == pytest.approx(baseline.model_mae)
    wins = record.wins
    assert wins.n == wanted.wins.n
    assert (wins.log_loss and wins.log_loss.value) == pytest.approx(wanted.wins.log_loss)
    assert (wins.brier and wins.brier.value) == pytest.approx(wanted.wins.brier)
    assert (wins.accuracy and wins.accuracy.value) == pytest.approx(wanted.wins.accuracy)
    for ours, theirs in zip(wins.baselines, wanted.wins.baselines, strict=True):
        assert (ours.name, ours.n) == (theirs.name, theirs.n)
        assert ours.log_loss == pytest.approx(theirs.log_loss)
        assert ours.brier == pytest.approx(theirs.brier)
        assert ours.model_log_loss == pytest.approx(theirs.model_log_loss)


def points_of(log: PredictionLog, choice: Choice) -> GroupScore:
    log.scoring.update()
    [score] = [one.score for one in log.scoring.track_record(choice).stats if one.stat == "points"]
    assert score is not None
    return score


def test_figures_are_those_of_accuracy(tmp_path: Path) -> None:
    with season(tmp_path, 25) as (replica, log):
        fill_season(replica, 8, origin="replay", version="trees-00000002", seed=2)
        for origin in (Origin.LIVE, Origin.REPLAY):
            same_as_accuracy(log, Choice(origin, None, None, None))
            middle = FIRST_DAY + timedelta(days=4)
            same_as_accuracy(log, Choice(origin, middle, middle + timedelta(days=2), None))
            same_as_accuracy(log, Choice(origin, None, None, "trees-00000002"))
        assert log.scoring.track_record(LIVE).n > 500


def test_with_bundled_seasons_and_in_parts(
    tmp_path: Path,
    store: MemoryStore,
    clock: ManualClock,
    reference: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring_cache, "_SLATES_AT_A_TIME", 1)
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(past(25), Origin.REPLAY)
        log.log_slate(tonight(), Origin.LIVE)
        fill_season(replica, 3, origin="replay")
        same_as_accuracy(log, REPLAY)
        same_as_accuracy(log, LIVE)


def test_figures_by_hand(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        # Tatum 30, Brunson 22, both projected at 25 with the band 23 to 27.
        log.log_slate(past(25), Origin.REPLAY)
        score = points_of(log, REPLAY)
        assert (score.n, score.mae.value, score.mae.interval) == (2, 4, None)
        assert (score.mean, score.actual, score.under, score.below) == (25, 26, 0.5, 0.5)
        assert score.width == 4
        detail = log.scoring.detail(REPLAY, "points")
        teams, roles, values = (
            log.scoring.groups(REPLAY, "points", name) for name in ("team", "role", "value")
        )
        assert [(group.name, group.n) for group in teams] == [("NYK", 1), ("BOS", 1)]
        assert [group.name for group in roles] == [ROLES[0]]
        assert [value_label("points", group.name) for group in values] == ["25 and more"]
        assert detail.period == "slate"
        assert [group.name for group in detail.by_date] == [PAST.isoformat()]
        worst = detail.worst
        assert [(call.player_name, call.size) for call in worst] == [
            ("Jayson Tatum", 5),
            ("Jalen Brunson", 3),
        ]
        # Tatum had 14 on average: nearer by 16 - 5, yet out of range. Brunson always had 20.
        assert detail.best == ()
        assert (worst[0].player_id, worst[0].season_average) == (TATUM, 14)
        assert (worst[0].team, worst[0].opponent, worst[0].slate_date) == ("BOS", "NYK", PAST)
        [version] = detail.versions
        assert (version.first_date, version.last_date) == (PAST, PAST)


def test_only_what_changed_is_computed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[str] = []
    score = scoring_cache.ScoreCache._score

    def noting(self: object, state: object, cache: object, part: object, past: object) -> None:
        computed.extend(part.fingerprints)  # type: ignore[attr-defined]
        score(self, state, cache, part, past)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring_cache.ScoreCache, "_score", noting)
    with season(tmp_path, 5) as (replica, log):
        days = [(FIRST_DAY + timedelta(days=number)).isoformat() for number in range(6)]

        def updated() -> list[str]:
            computed.clear()
            assert not log.scoring.is_current()
            log.scoring.update()
            assert log.scoring.is_current()
            return sorted(computed)

        assert updated() == days[:5]
        log.scoring.update()
        assert sorted(computed) == days[:5], "nothing is computed twice"
        # A new slate.
        fill_season(replica, 1, first=FIRST_DAY + timedelta(days=5))
        assert updated() == []
        replica.sync_now()
        assert updated() == days[5:]
        # A correction changes its slate and the baselines of all that came later.
        with replica.transaction() as transaction:
            transaction.execute(
                "UPDATE player_games SET points = points + 1 WHERE game_date = ?", (days[3],)
            )
        assert updated() == days[3:]
        same_as_accuracy(log, LIVE)
        # What concerns no result.
        with replica.transaction() as transaction:
            transaction.execute("INSERT INTO players VALUES (1, 'Somebody')")
        assert updated() == []
        with replica.transaction() as transaction:
            transaction.execute("DELETE FROM runs WHERE slate_date = ?", (days[4],))
        assert updated() == []
        same_as_accuracy(log, LIVE)
        assert log.scoring.track_record(Choice(Origin.LIVE, date(2025, 10, 25), None, None)).n < (
            log.scoring.track_record(LIVE).n
        )


def test_scores_outlive_the_process_and_an_older_file_does_not(tmp_path: Path) -> None:
    with season(tmp_path, 3) as (replica, log):
        log.scoring.update()
        before = log.scoring.track_record(LIVE)

        def again() -> Scoring:
            return PredictionLog(replica, None, clock=lambda: BEFORE).scoring

        assert again().is_current()
        assert again().track_record(LIVE) == before
        path = tmp_path / "state-scores.db"
        connection = apsw.Connection(str(path))
        connection.pragma("user_version", 99)
        connection.close()
        later = again()
        assert not later.is_ready()
        later.update()
        assert later.track_record(LIVE) == before


def test_a_damaged_file_is_thrown_away_and_made_anew(tmp_path: Path) -> None:
    with season(tmp_path, 3) as (replica, log):
        log.scoring.update()
        before = log.scoring.track_record(LIVE)
        path = tmp_path / "state-scores.db"
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        path.write_bytes(b"no database at all" * 1000)
        damaged = PredictionLog(replica, None, clock=lambda: BEFORE).scoring
        with pytest.raises(ScoresDamaged):
            damaged.is_current()
        assert not damaged.is_current()
        damaged.begin_update()
        assert damaged.wait(30)
        assert damaged.track_record(LIVE) == before


def test_the_best_calls_are_in_range_and_nearer_than_the_average(tmp_path: Path) -> None:
    with season(tmp_path, 8) as (_, log):
        log.scoring.update()
        detail = log.scoring.detail(LIVE, "points")
        assert detail.best
        for call in detail.best:
            assert call.season_average is not None
            # Some rows have no range.
            if call.floor is not None and call.ceiling is not None:
                assert call.floor <= call.actual <= call.ceiling
            nearer = abs(call.season_average - call.actual) - abs(call.median - call.actual)
            assert call.size == pytest.approx(nearer)


def test_damage_of_the_state_is_not_blamed_on_the_scores(tmp_path: Path) -> None:
    with season(tmp_path, 3) as (replica, log):
        log.scoring.update()
        scores = tmp_path / "state-scores.db"
        fill_season(replica, 1, first=FIRST_DAY + timedelta(days=30))
        copy = tmp_path / "damaged.db"
        with replica.read() as connection, closing(apsw.Connection(str(copy))) as target:
            with target.backup("main", connection, "main") as backup:
                backup.step(-1)
            root = connection.execute(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'game_predictions'"
            ).get
        _overwrite_page(copy, root)
        damaged = apsw.Connection(str(copy))
        cache = ScoreCache(scores, has_reference=False)
        with pytest.raises(LocalCorrupt) as raised:
            cache.update(damaged, lambda fraction: None)
        damaged.close()
        assert not isinstance(raised.value, ScoresDamaged)
        assert raised.value.key == str(copy)
        assert scores.exists()
        assert log.scoring.is_ready()


def _overwrite_page(database: Path, number: int) -> None:
    connection = apsw.Connection(str(database))
    size = int(str(connection.pragma("page_size")))
    connection.close()
    with database.open("r+b") as file:
        file.seek((number - 1) * size)
        file.write(b"\xff" * size)


def test_what_fails_in_the_background_reaches_who_waits(tmp_path: Path) -> None:
    with season(tmp_path, 1) as (replica, log):
        (tmp_path / "state-scores.db").mkdir()
        log.scoring.begin_update()
        with pytest.raises(Exception, match="state-scores"):
            log.scoring.wait(30)
        assert replica.status().sequence


def test_origins_are_never_mixed(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(past(25), Origin.REPLAY)
        log.log_slate(tonight(20), Origin.LIVE)
        replica.sync_now()
        log.scoring.update()
        live, replay = (log.scoring.track_record(choice) for choice in (LIVE, REPLAY))
        assert (live.n, live.wins.n, live.versions) == (0, 0, ())
        assert live.first_date is None
        assert replay.n == 2 * len(STATS)
        assert replay.wins.n == 2
        assert log.scoring.detail(LIVE, "points").worst == ()
        assert {call.player_id for call in log.scoring.detail(REPLAY, "points").worst} == {
            TATUM,
            BRUNSON,
        }


def test_long_histories_are_put_together(tmp_path: Path) -> None:
    with season(tmp_path, 40) as (_, log):
        log.scoring.update()
        detail = log.scoring.detail(LIVE, "rebounds")
        [whole] = [
            one.score
            for one in log.scoring.track_record(LIVE).stats
            if one.stat == "rebounds" and one.score
        ]
        assert detail.period == "week"
        assert all(date.fromisoformat(week.name).weekday() == 0 for week in detail.by_date)
        parts = [log.scoring.groups(LIVE, "rebounds", one) for one in ("team", "role", "value")]
        for groups in (detail.by_date, *parts):
            assert sum(group.n for group in groups) == whole.n
            total = sum(group.n * group.mae.value for group in groups)
            assert total == pytest.approx(whole.n * whole.mae.value)
        assert whole.mae.interval is not None
        assert whole.mae.interval.low < whole.mae.value < whole.mae.interval.high
        worst = [call.size for call in detail.worst]
        assert worst == sorted(worst, reverse=True)
        assert len(worst) == 10
        wins = log.scoring.track_record(LIVE).wins
        assert wins.log_loss is not None
        assert wins.log_loss.interval is not None
        assert sum(one.n for one in wins.reliability["model"]) == wins.n == 80


def test_an_interval_draws_whole_dates() -> None:
    random = np.random.default_rng(3)
    dates = np.repeat(np.arange(40), 25)
    values = random.normal(5, 2, len(dates)) + random.normal(0, 1, 40)[dates]
    ours = ratios_of(
        np.bincount(dates, values).astype(float)[:, None],
        np.bincount(dates).astype(float)[:, None],
    )[0]
    theirs = evaluation.bootstrap_interval(values, dates, random)
    assert ours is not None
    assert ours.interval is not None
    assert ours.value == pytest.approx(values.mean())
    assert ours.interval.low == pytest.approx(theirs.low, abs=0.05)
    assert ours.interval.high == pytest.approx(theirs.high, abs=0.05)


def test_few_dates_have_no_interval_and_no_rows_no_figure() -> None:
    few = np.ones((FEWEST_DATES - 1, 1))
    [estimate] = ratios_of(few, few)
    assert estimate is not None
    assert (estimate.value, estimate.interval) == (1.0, None)
    enough = np.ones((FEWEST_DATES, 2))
    enough[1:, 1] = 0
    wide, narrow = ratios_of(enough, enough)
    assert wide is not None
    assert narrow is not None
    assert wide.interval is not None
    assert narrow.interval is None
    nothing = np.zeros((FEWEST_DATES, 1))
    assert ratios_of(nothing, nothing) == [None]
    assert differences_of([(enough[:, :1], enough[:, :1]), (nothing, nothing)]) == [None]


def test_names_of_values_cover_every_number() -> None:
    assert [value_label("points", str(place)) for place in range(6)] == [
        "under 5",
        "5–10",
        "10–15",
        "15–20",
        "20–25",
        "25 and more",
    ]
