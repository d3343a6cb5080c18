"""`python -m nba.model`: train the model that comes with the app from `data/`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path

from nba.model.artefact import SHIPPED, save_model
from nba.model.fitting import fit_model
from nba.reference import Reference, build_reference
from nba.strength import games_of

_BAR = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m nba.model", description=__doc__)
    data = Path(__file__).parent.parent.parent / "data"
    parser.add_argument("--data", type=Path, default=data, help="a folder laid out like data/")
    parser.add_argument("--to", type=Path, default=SHIPPED, help="the file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference(build_reference(options.data, Path(folder) / "reference.db"))
        model = fit_model(
            reference.history(date.min, date.max),
            games_of(reference.games()),
            reference.info.content_hash,
            _show,
        )
    save_model(model, options.to)
    print(f"\n{model.version}, {options.to.stat().st_size:,} bytes, written to {options.to.name}")


def _show(done: float, text: str) -> None:
    filled = round(_BAR * done)
    sys.stderr.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {done:4.0%} {text:<24}")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
