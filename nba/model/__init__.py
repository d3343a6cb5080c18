"""The trained model: a file of arrays, and forecasts from features.

`nba.model.training` and `nba.model.fitting` need scikit-learn and are not imported here: the app
never trains.
"""

from __future__ import annotations

from nba.model.artefact import Model, load_model, save_model, shipped_model
from nba.model.distribution import Distribution
from nba.model.players import Forecasts

__all__ = ["Distribution", "Forecasts", "Model", "load_model", "save_model", "shipped_model"]
