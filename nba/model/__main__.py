"""`python -m nba.model`: train the model that comes with the app from `data/`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from nba.errors import ModelNotWritten, NbaError, TooFewSeasons
from nba.model.artefact import SHIPPED, Model, save_model
from nba.model.fitting import fit_model
from nba.progress import ProgressBar
from nba.reference import Reference, build_reference
from nba.reference_tables import OPTIONAL_TABLES
from nba.strength import games_of

__all__ = ["main"]

_DATA: Final = Path(__file__).parent.parent.parent / "data"
_FEWEST_SEASONS: Final = 3


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, or 2 when something asked for is not there."""
    parser = argparse.ArgumentParser(prog="python -m nba.model", description=__doc__)
    parser.add_argument("--data", type=Path, default=_DATA, help="a folder laid out like data/")
    parser.add_argument("--to", type=Path, default=SHIPPED, help="the file to write")
    options = parser.parse_args(words)
    bar = ProgressBar(sys.stderr)
    try:
        model = _trained(options.data, bar)
        _save(model, options.to)
    except NbaError as error:
        bar.clear()
        print(error, file=sys.stderr)
        return 2
    bar.clear()
    print(f"{model.version}, {options.to.stat().st_size:,} bytes, written to {options.to.name}")
    return 0


def _trained(data: Path, bar: ProgressBar) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        built = build_reference(data, Path(folder) / "reference.db", may_lack=OPTIONAL_TABLES)
        reference = Reference(built)
        history = reference.history(date.min, date.max)
        seasons = len(np.unique(history.season))
        if seasons < _FEWEST_SEASONS:
            raise TooFewSeasons(
                "Training a model",
                data.name,
                f"the data has box scores of {seasons} seasons, and {_FEWEST_SEASONS} are needed",
                "Add seasons to player_games.parquet and games.parquet, or name another folder",
            )
        return fit_model(history, games_of(reference.games()), reference.info.content_hash, bar)


def _save(model: Model, path: Path) -> None:
    try:
        save_model(model, path)
    except OSError as error:
        raise ModelNotWritten(
            "Writing the model",
            path.name,
            error.strerror or type(error).__name__,
            "Name a file in a folder that this user may write to (--to)",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
