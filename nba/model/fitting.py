"""From box scores and final scores to a whole model."""

from __future__ import annotations

from datetime import date, timedelta

from nba.features import asked_of, features_of, fit_chances, newcomers_of
from nba.history import History
from nba.model.artefact import Model
from nba.model.training import Progress, fit_players
from nba.model.versions import training_hash
from nba.strength import Games, fit_strength

__all__ = ["fit_model"]

_FEATURES_SHARE = 0.12
# Older seasons make training longer and nothing better (docs/model.md).
_SEASONS = 7


def fit_model(history: History, games: Games, data_hash: str, progress: Progress) -> Model:
    """Train on the last seasons given; the first one only serves as the past of the others.

    Team strength learns from all of them. ValueError for fewer than three seasons of box scores.
    """
    progress(0.0, "Computing features")
    newcomers, chances = newcomers_of(history), fit_chances(history)
    first, last = history.season.min(), history.season.max()
    used = history.take(history.season > max(first, last - _SEASONS))
    features = features_of(history, asked_of(used), newcomers=newcomers, chances=chances)
    players = fit_players(
        features,
        used,
        lambda done, text: progress(_FEATURES_SHARE + (1 - _FEATURES_SHARE) * done, text),
    )
    return Model(
        players=players,
        strength=fit_strength(history, games),
        newcomers=newcomers,
        chances=chances,
        trained_until=date(1970, 1, 1) + timedelta(days=int(history.day.max())),
        code_hash=training_hash(),
        data_hash=data_hash,
    )
