"""The trained model as one file of plain arrays; nothing in it is code."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nba.errors import ModelDamaged
from nba.history import Floats
from nba.model.linear import Linear, Shift
from nba.model.players import MarketModel, PlayerModel, Quantile
from nba.model.trees import Trees
from nba.model.versions import projecting_hash
from nba.stats import MARKETS
from nba.strength import StrengthModel

__all__ = ["SHIPPED", "Model", "load_model", "save_model", "shipped_model"]

SHIPPED: Final = Path(__file__).with_name("model.npz")
"""The model that comes with the app."""

_NAME: Final = "minutes-first"
_FORMAT: Final = 2
# Every zip entry carries a date; one for all keeps two trainings the same to the byte.
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
# A damaged archive can also ask for a password or for a compression that zipfile does not know.
_DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Model:
    """All that a projection needs beside the games themselves.

    `newcomers` and `chances` are as `newcomers_of` and `fit_chances` give them. `trained_until` is
    the date of the newest game that it has seen. `code_hash` and `data_hash` say what it was made
    by and from.
    """

    players: PlayerModel
    strength: StrengthModel
    newcomers: Floats
    chances: NDArray[np.float64]
    trained_until: date
    code_hash: str
    data_hash: str

    @property
    def version(self) -> str:
        """The name of the model with eight hexadecimal digits of all that a projection is made by.

        That is the code and the games of its training, and the code that projects with it.
        """
        made_by = f"{self.code_hash} {self.data_hash} {projecting_hash()}"
        digest = hashlib.sha256(made_by.encode()).hexdigest()
        return f"{_NAME}-{digest[:8]}"


def save_model(model: Model, path: Path) -> None:
    """Write a model; the same model gives the same bytes."""
    about = {
        "format": _FORMAT,
        "trained_until": model.trained_until.isoformat(),
        "code_hash": model.code_hash,
        "data_hash": model.data_hash,
    }
    # Whoever ends it half-way keeps the model that he had.
    partial = path.with_name(f"{path.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        _write(archive, "about.json", json.dumps(about, indent=2).encode())
        for name, values in sorted(_arrays_of(model)):
            buffer = io.BytesIO()
            np.save(buffer, values, allow_pickle=False)
            _write(archive, f"{name}.npy", buffer.getvalue())
    partial.replace(path)


def load_model(path: Path) -> Model:
    """Read what `save_model` wrote. Raises ModelDamaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read("about.json"))
            arrays = {
                name.removesuffix(".npy"): np.load(
                    io.BytesIO(archive.read(name)), allow_pickle=False
                )
                for name in archive.namelist()
                if name.endswith(".npy")
            }
        if about["format"] != _FORMAT:
            raise ValueError(f"it has format {about['format']}")
        return _model_of(about, arrays)
    except (*_DAMAGE, OSError, LookupError, TypeError, ValueError) as error:
        raise ModelDamaged(
            "Reading the model",
            path.name,
            f"it is no whole model of this version ({error})",
            "Bring it back from the repository, or train one with `make train`",
        ) from error


@lru_cache(maxsize=1)
def shipped_model() -> Model:
    """The model that comes with the app, read once. Raises ModelDamaged."""
    return load_model(SHIPPED)


def _write(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _arrays_of(model: Model) -> Iterator[tuple[str, NDArray[Any]]]:
    yield "newcomers", model.newcomers
    yield "chances", model.chances
    for name, values in model.strength.arrays().items():
        yield f"strength/{name}", values
    for market, one in model.players.markets.items():
        parts: dict[str, Mapping[str, NDArray[Any]]] = {"linear": one.linear.arrays()}
        if one.mean is not None:
            parts["mean"] = one.mean.arrays()
        for place, quantile in enumerate(one.quantiles):
            parts[f"quantile{place}/shift"] = _shift_arrays(quantile.shift)
            parts[f"quantile{place}/trees"] = quantile.trees.arrays()
            parts[f"quantile{place}/correction"] = _shift_arrays(quantile.correction)
        yield f"{market}/shape", one.shape
        if one.variance_ratio is not None:
            yield f"{market}/variance_ratio", np.array([one.variance_ratio])
        for part, arrays in parts.items():
            for name, values in arrays.items():
                yield f"{market}/{part}/{name}", values


def _shift_arrays(shift: Shift) -> dict[str, NDArray[Any]]:
    return {"at": shift.at, "by": shift.by}


def _model_of(about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Model:
    def below(prefix: str) -> dict[str, NDArray[Any]]:
        start = f"{prefix}/"
        return {
            name.removeprefix(start): values
            for name, values in arrays.items()
            if name.startswith(start)
        }

    return Model(
        players=PlayerModel({market: _market_of(below(market)) for market in MARKETS}),
        strength=StrengthModel.from_arrays(below("strength")),
        newcomers=arrays["newcomers"],
        chances=arrays["chances"],
        trained_until=date.fromisoformat(about["trained_until"]),
        code_hash=about["code_hash"],
        data_hash=about["data_hash"],
    )


def _market_of(arrays: Mapping[str, NDArray[Any]]) -> MarketModel:
    def below(prefix: str) -> dict[str, NDArray[Any]]:
        start = f"{prefix}/"
        return {name[len(start) :]: one for name, one in arrays.items() if name.startswith(start)}

    places = sorted({name.split("/")[0] for name in arrays if name.startswith("quantile")})
    return MarketModel(
        linear=Linear.from_arrays(below("linear")),
        mean=Trees.from_arrays(below("mean")) if below("mean") else None,
        quantiles=tuple(
            Quantile(
                Shift(**below(f"{place}/shift")),
                Trees.from_arrays(below(f"{place}/trees")),
                Shift(**below(f"{place}/correction")),
            )
            for place in places
        ),
        shape=arrays["shape"],
        variance_ratio=float(arrays["variance_ratio"][0]) if "variance_ratio" in arrays else None,
    )
