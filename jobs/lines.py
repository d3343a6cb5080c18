"""A visitor's own lines: who, when and what the model says, from the log and from the seasons.

Nothing of the file is kept, logged or sent anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime
from math import isnan
from typing import Final

from jobs.application import Application
from jobs.evenings import Evenings
from jobs.ingest import Progress
from jobs.outcome import Outcome, outcome_of
from nba.errors import UnknownSlate
from nba.lines import (
    BandDistribution,
    CountOfBand,
    Evening,
    ForecastOrigin,
    LinesReport,
    Market,
    MarketForecast,
    compare_lines,
)
from nba.model import Distribution, shipped_model
from nba.reference import Reference
from nba.seasons import slate_over_at
from nba.slate import Band, SlateProjection
from nba.stats import COUNTS
from prediction_tracking import HistoryFilters, Origin, PredictionLog
from tracking.frames import name_key

__all__ = ["compare_with", "forecast_of_band", "forecasts_of", "lines_beside_the_model"]

_TURN: Final = threading.Lock()
"""Held while a file is compared: memory is short, and each takes 50 MB."""


def lines_beside_the_model(
    application: Application, content: bytes, key: str, progress: Progress
) -> LinesReport:
    """The lines of a file beside what the app knows; one file at a time, however many ask.

    It takes nothing of what the app keeps for tonight's page, and nobody there waits for it.

    Raises NotReady, LinesRejected, ReplicaError.
    """
    if not _TURN.acquire(blocking=False):
        progress(0.0, "Another visitor's lines are being compared first")
        _TURN.acquire()
    try:
        reference, season = application.reference, application.season
        listed = None if season is None else season.availability
        return compare_with(
            content,
            key,
            reference=reference,
            log=application.predictions,
            project=Evenings(reference, listed).projection,
            now=application.clock(),
            progress=progress,
        )
    finally:
        _TURN.release()


def compare_with(
    content: bytes,
    key: str,
    *,
    reference: Reference,
    log: PredictionLog | None,
    project: Callable[[date], SlateProjection],
    now: datetime,
    progress: Progress,
) -> LinesReport:
    """The same from its parts; `log` None leaves out what was logged. `now` is in UTC.

    `project` is asked for dates in ascending order.
    """
    players = reference.players()

    def evening_of(day: date) -> Evening:
        try:
            projection = project(day)
        except UnknownSlate:
            return Evening({}, {}, set(), set(), has_games=False, in_season=False)
        return forecasts_of(
            projection,
            outcome_of(reference, log, day),
            {} if log is None else _logged(log, day),
            is_over=slate_over_at(day) <= now,
        )

    return compare_lines(
        content,
        key,
        people={
            int(player_id): str(name)
            for player_id, name in zip(players["player_id"], players["player_name"], strict=True)
        },
        name_key=name_key,
        evening_of=evening_of,
        progress=progress,
    )


def forecasts_of(
    projection: SlateProjection,
    outcome: Outcome,
    logged: dict[tuple[str, int, Market], MarketForecast],
    *,
    is_over: bool,
) -> Evening:
    """What is said of a date's players, and what they did.

    `logged` are the forecasts of the track record by game id, player id and market. A game that it
    has is told by it alone, also for players whom it leaves out: a replay may know more. Only a
    market that nobody logged for a game then is replayed, for the players whom it has.
    """
    spoken = {(game_id, market) for game_id, _, market in logged}
    logged_games = {game_id for game_id, _, _ in logged}
    logged_players = {(game_id, player_id) for game_id, player_id, _ in logged}
    games_of: dict[int, set[str]] = {}
    forecasts: dict[tuple[int, Market], MarketForecast] = {}
    for (game_id, player_id, market), forecast in logged.items():
        games_of.setdefault(player_id, set()).add(game_id)
        forecasts[player_id, market] = forecast
    with_results = {game_id for game_id, _ in outcome.actuals}
    for player in projection.players:
        key = (player.game_id, player.player_id)
        if player.game_id in logged_games and key not in logged_players:
            continue
        games_of.setdefault(player.player_id, set()).add(player.game_id)
        is_past = is_over or player.game_id in with_results
        origin = _origin_of(projection.slate_date, is_past=is_past)
        for market, band in player.bands.items():
            if (player.game_id, market) not in spoken:
                forecasts[player.player_id, market] = forecast_of_band(band, origin)
    actuals: dict[tuple[int, Market], float] = {}
    for (game_id, player_id), stats in outcome.actuals.items():
        games_of.setdefault(player_id, set()).add(game_id)
        for stat, value in stats.items():
            actuals[player_id, stat] = float(value)
        if all(stat in stats for stat in ("points", "rebounds", "assists")):
            total = stats["points"] + stats["rebounds"] + stats["assists"]
            actuals[player_id, "pra"] = float(total)
    return Evening(
        forecasts=forecasts,
        actuals=actuals,
        settled={one for one, games in games_of.items() if games & with_results},
        two_games={one for one, games in games_of.items() if len(games) > 1},
        has_games=bool(projection.games or projection.undecided_games),
    )


def forecast_of_band(band: Band, origin: ForecastOrigin) -> MarketForecast:
    """What a projection says of one market."""
    return MarketForecast(band.mean, band.median, band.distribution, origin)


def _origin_of(slate_date: date, *, is_past: bool) -> ForecastOrigin:
    if not is_past:
        return ForecastOrigin.COMING
    is_trained = slate_date <= shipped_model().trained_until
    return ForecastOrigin.TRAINING if is_trained else ForecastOrigin.REPLAY


def _logged(log: PredictionLog, slate_date: date) -> dict[tuple[str, int, Market], MarketForecast]:
    """The track record of a date; of a distribution only four numbers are logged."""
    filters = HistoryFilters(since=slate_date, until=slate_date, origin=Origin.LIVE)
    rows = log.history(filters, limit=None)
    rows = rows[rows["in_track_record"] & rows["floor"].notna() & rows["ceiling"].notna()]
    names = ("game_id", "player_id", "stat", "mean", "median", "floor", "ceiling")
    return {
        (str(game_id), int(player_id), market): _forecast_of(market, *map(float, numbers))
        for game_id, player_id, market, *numbers in zip(
            *(rows[name] for name in names), strict=True
        )
    }


def _forecast_of(
    market: Market, mean: float, median: float, floor: float, ceiling: float
) -> MarketForecast:
    if isnan(median):
        old = BandDistribution(mean, floor, ceiling)
        return MarketForecast(mean, old.median, old, ForecastOrigin.LIVE)
    distribution: Distribution = (
        CountOfBand(mean, floor, ceiling)
        if market in COUNTS
        else BandDistribution(mean, floor, ceiling, median)
    )
    return MarketForecast(mean, median, distribution, ForecastOrigin.LIVE)
