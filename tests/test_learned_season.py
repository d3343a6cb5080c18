"""A whole season learned at once: known rows are not written, new ones in one entry that fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba.silver import Silver, combined
from tests.silver_rows import (
    AFTER,
    bundled_schedule,
    season_silver,
)
from tests.slates import (
    ManualClock,
    opened,
)
from tests.stores import MemoryStore

PAYLOAD_LIMIT_BYTES = 16 << 20


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_the_real_bundle_is_known(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference_path: Path
) -> None:
    with opened(tmp_path / "real.db", store, clock, reference=reference_path) as (replica, log):
        assert log.learn(season_silver("2024-25", at=AFTER)).is_empty
        assert log.learn(Silver(schedule=bundled_schedule())).is_empty
        assert replica.status().pending_transactions == 0


def test_a_season_is_learned_in_one_entry_that_fits(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    silver = season_silver("2023-24", at=AFTER)
    assert len(silver.player_games) > 26_000
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        report = log.learn(silver)
        assert (report.games, report.player_games) == (len(silver.games), len(silver.player_games))
        with replica.read() as connection:
            [size] = connection.execute("SELECT length(intent) FROM replica_outbox").fetchall()
        assert int(str(size[0])) < PAYLOAD_LIMIT_BYTES
        assert log.learn(silver).is_empty
        replica.sync_now()
        assert replica.status().pending_transactions == 0
    with opened(tmp_path / "other.db", store, clock, seed=2) as (replica, log):
        assert log.learn(silver).is_empty
        assert log.differences(silver) == []


@pytest.mark.soak
def test_several_seasons_are_learned_in_several_entries_that_fit(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    seasons = [season_silver(season, at=AFTER) for season in ("2021-22", "2022-23", "2023-24")]
    silver = combined(seasons)
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        report = log.learn(silver)
        assert (report.games, report.player_games) == (len(silver.games), len(silver.player_games))
        assert replica.status().pending_transactions == 3
        assert log.learn(silver).is_empty
        assert log.differences(silver) == []


def test_box_scores_are_there_before_their_games_have_ended(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    silver = season_silver("2023-24", at=AFTER)
    monkeypatch.setattr("tracking.learning._MOST_BOX_SCORES", 20_000)
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        begin = replica.transaction
        begun: list[int] = []

        def interrupted() -> object:
            if begun:
                raise InterruptedError
            begun.append(1)
            return begin()

        monkeypatch.setattr(replica, "transaction", interrupted)
        with pytest.raises(InterruptedError):
            log.learn(silver)
        assert list(log.query("SELECT count(*) AS n FROM player_games")["n"]) == [20_000]
        assert list(log.query("SELECT count(*) AS n FROM games")["n"]) == [0]
