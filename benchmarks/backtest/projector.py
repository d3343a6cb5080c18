"""What is tested: whatever projects slates and player-games for a season it was not trained on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

import nba
from nba.availability import Availability
from nba.errors import ModelDamaged
from nba.features import asked_of, features_of
from nba.history import History
from nba.knowledge import Knowledge, knowledge_of
from nba.model import Model, load_model, save_model
from nba.model.fitting import fit_model
from nba.reference import Reference
from nba.slate import SlateProjection, project_slate
from nba.strength import games_of

__all__ = [
    "FEWEST_SEASONS",
    "MakeProjector",
    "Progress",
    "Projector",
    "RowForecasts",
    "Setting",
    "TrainedProjector",
    "cache_key",
    "prepare_projector",
    "without_results",
]

Floats = NDArray[np.float64]
Progress = Callable[[float, str], None]

FEWEST_SEASONS: Final = 3
"""How many seasons before the tested one are needed to train on."""

_EPOCH: Final = date(1970, 1, 1)
_TRAINED_BY: Final = ("numpy", "scikit-learn")
_TRAINED: Final = 0.95
# Forecasts of as many rows at once as need some hundred megabytes.
_ROWS_AT_A_TIME: Final = 16_384


@dataclass(frozen=True, slots=True)
class RowForecasts:
    """Forecasts of asked player-games; each array has the shape (rows, markets)."""

    mean: Floats
    median: Floats
    floor: Floats
    ceiling: Floats


class Projector(Protocol):
    """Projects the slates and player-games of one season, each from the games of earlier dates."""

    @property
    def version(self) -> str:
        """The name of the model, with what tells one training from another."""

    def slate(self, slate_date: date, out: Collection[int] | None = None) -> SlateProjection:
        """A slate as the app shows it; `out` are the ids of players known not to play."""

    def rows(self, asked: History) -> RowForecasts:
        """Forecasts of player-games, also of those whom the app would not have shown.

        Of `asked` only who, when, for whom and against whom is there: see `without_results`. A
        row's forecast must not depend on which other rows are asked for.
        """


@dataclass(frozen=True, slots=True)
class Setting:
    """What a projector is made from.

    `season` is the one to be tested, such as "2024-25": nothing of it or after it may be learned
    from. `history` is all of the reference's box scores. `cache` is a folder that outlives the run.
    """

    reference: Reference
    history: History
    season: str
    cache: Path
    progress: Progress


MakeProjector = Callable[[Setting], Projector]


def prepare_projector(setting: Setting) -> Projector:
    """The model that the app serves, trained on the seasons before `setting.season` only.

    It is kept in `setting.cache`. ValueError for fewer than FEWEST_SEASONS of them.
    """
    first_year = int(setting.season[:4])
    model = _trained(setting, first_year)
    setting.progress(_TRAINED, "Reading the seasons before")
    days = setting.history.day[setting.history.season == first_year]
    first, last = (_EPOCH + timedelta(days=int(day)) for day in (days.min(), days.max()))
    knowledge = knowledge_of(setting.reference, model, first, last + timedelta(days=1))
    return TrainedProjector(setting.reference, knowledge)


def cache_key(setting: Setting) -> str:
    """A hash, in hex, of all that a training depends on: code, libraries, the data, the season.

    What is kept in `setting.cache` under it never belongs to other code or other games.
    """
    digest = hashlib.sha256()
    digest.update(f"{setting.season} {setting.reference.info.content_hash}".encode())
    digest.update(" ".join(f"{name} {version(name)}" for name in _TRAINED_BY).encode())
    folder = Path(nba.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _trained(setting: Setting, first_year: int) -> Model:
    key = cache_key(setting)
    path = setting.cache / f"model-{setting.season}-{key[:16]}.npz"
    if path.exists():
        try:
            return load_model(path)
        except ModelDamaged:
            path.unlink()
    games = games_of(setting.reference.games())
    model = fit_model(
        setting.history.take(setting.history.season < first_year),
        games.take(games.season < first_year),
        key,
        lambda done, words: setting.progress(done * _TRAINED, words),
    )
    # Under its own name only when it is whole: a run that is stopped leaves no half model.
    unfinished = path.with_suffix(f".{os.getpid()}")
    save_model(model, unfinished)
    unfinished.replace(path)
    return model


def without_results(rows: History) -> History:
    """The same player-games with every number of the box score missing."""
    return History(
        player_id=rows.player_id,
        day=rows.day,
        game=rows.game,
        season=rows.season,
        team_id=rows.team_id,
        opponent_id=rows.opponent_id,
        is_home=rows.is_home,
        is_regular=rows.is_regular,
        values=np.full_like(rows.values, np.nan),
    )


class TrainedProjector:
    """Projects with one model and one past, from which rows and slates alike take what is earlier.

    `knowledge` holds the games of the whole season and of some before it.
    """

    def __init__(self, reference: Reference, knowledge: Knowledge) -> None:
        self._reference = reference
        self._knowledge = knowledge
        games = reference.games()
        self._neutral = games["game_id"][games["is_neutral"]].astype(np.int64).to_numpy()

    @property
    def version(self) -> str:
        """See `Projector`."""
        return self._knowledge.model.version

    def slate(self, slate_date: date, out: Collection[int] | None = None) -> SlateProjection:
        """See `Projector`."""
        availability = {int(one): Availability.OUT for one in out or ()}
        return project_slate(self._reference, slate_date, availability, knowledge=self._knowledge)

    def rows(self, asked: History) -> RowForecasts:
        """See `Projector`."""
        model, rows = self._knowledge.model, asked_of(asked)
        is_neutral = np.isin(asked.game, self._neutral)
        features = features_of(
            self._knowledge.history,
            replace(rows, home=np.where(is_neutral, 0.5, rows.home).astype(np.float32)),
            newcomers=model.newcomers,
            chances=model.chances,
        )
        parts = [
            model.players.forecast(features[begin : begin + _ROWS_AT_A_TIME])
            for begin in range(0, max(len(features), 1), _ROWS_AT_A_TIME)
        ]
        return RowForecasts(
            mean=np.concatenate([part.mean for part in parts]),
            median=np.concatenate([part.median for part in parts]),
            floor=np.concatenate([part.floor for part in parts]),
            ceiling=np.concatenate([part.ceiling for part in parts]),
        )
