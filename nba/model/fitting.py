"""From box scores and final scores to a whole model."""

from __future__ import annotations

from datetime import date, timedelta

from nba.features import asked_of, features_of, newcomers_of, play_chances
from nba.history import History
from nba.model.artefact import Model, code_hash
from nba.model.training import Progress, fit_players
from nba.strength import Games, fit_strength

__all__ = ["fit_model"]

_FEATURES_SHARE = 0.12


def fit_model(history: History, games: Games, data_hash: str, progress: Progress) -> Model:
    """Train on everything given; the first season only serves as the past of the others.

    ValueError for fewer than three seasons of box scores.
    """
    progress(0.0, "Computing features")
    newcomers, chances = newcomers_of(history), play_chances(history)
    features = features_of(history, asked_of(history), newcomers=newcomers, chances=chances)
    used = history.season > history.season.min()
    players = fit_players(
        features[used],
        history.take(used),
        lambda done, text: progress(_FEATURES_SHARE + (1 - _FEATURES_SHARE) * done, text),
    )
    return Model(
        players=players,
        strength=fit_strength(history, games),
        newcomers=newcomers,
        chances=chances,
        trained_until=date(1970, 1, 1) + timedelta(days=int(history.day.max())),
        code_hash=code_hash(),
        data_hash=data_hash,
    )
