"""Training: the same games give the same bytes, and only a whole model is ever read."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nba.errors import ModelDamaged
from nba.features import asked_of, features_of
from nba.history import History
from nba.model import Model, load_model, save_model, shipped_model
from nba.model.__main__ import main
from nba.model.artefact import SHIPPED
from nba.model.fitting import fit_model
from nba.model.versions import training_hash
from nba.reference import Reference, build_reference, reference_hash
from nba.stats import MARKETS
from nba.strength import games_of
from tests.made_up_seasons import EVENINGS, SEASONS, made_up_seasons
from tests.nba_bundle import DATA

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_seasons(tmp_path_factory.mktemp("league") / "data")


@pytest.fixture(scope="module")
def reference(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return Reference(build_reference(data, tmp_path_factory.mktemp("built") / "reference.db"))


@pytest.fixture(scope="module")
def history(reference: Reference) -> History:
    return reference.history(date.min, date.max)


@pytest.fixture(scope="module")
def model(reference: Reference, history: History) -> Model:
    return train(reference, history)


@pytest.fixture
def saved(model: Model, tmp_path: Path) -> Path:
    save_model(model, tmp_path / "model.npz")
    return tmp_path / "model.npz"


def train(reference: Reference, history: History) -> Model:
    games = games_of(reference.games())
    return fit_model(history, games, reference.info.content_hash, lambda done, text: None)


def test_the_command_trains_what_a_program_does(
    data: Path,
    saved: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "trained.npz"
    assert main(["--data", str(data), "--to", str(target)]) == 0
    # A second training, and from a second reference: the same to the byte.
    assert target.read_bytes() == saved.read_bytes()
    shown = capsys.readouterr()
    assert f"{load_model(target).version}, {target.stat().st_size:,} bytes" in shown.out
    assert "Training points" in shown.err
    assert "100%" in shown.err


def without(data: Path, folder: Path, *names: str) -> Path:
    shutil.copytree(data, folder)
    for name in names:
        (folder / name).unlink()
    return folder


def test_neither_schedule_nor_absences_are_needed(data: Path, tmp_path: Path) -> None:
    names = ("schedule_2026_27.parquet", "player_absences.parquet")
    bare = without(data, tmp_path / "data", *names)
    assert main(["--data", str(bare), "--to", str(tmp_path / "trained.npz")]) == 0
    assert load_model(tmp_path / "trained.npz").trained_until.year == int(SEASONS[-1][:4])


def test_what_training_lacks_is_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "trained.npz"
    two = without(data, tmp_path / "two")
    for name in ("games", "player_games"):
        frame = pd.read_parquet(two / f"{name}.parquet")
        frame[frame["season"].isin(SEASONS[:2])].to_parquet(two / f"{name}.parquet", index=False)
    lacking = {
        tmp_path / "nowhere": "failed for nowhere: there is no such folder",
        without(data, tmp_path / "bare", "games.parquet"): "failed for games.parquet:",
        two: "failed for two: the data has box scores of 2 seasons, and 3 are needed",
    }
    for folder, words in lacking.items():
        assert main(["--data", str(folder), "--to", str(target)]) == 2
        assert words in capsys.readouterr().err
    assert not target.exists()
    assert main(["--data", str(data), "--to", str(tmp_path / "no folder" / "model.npz")]) == 2
    assert "Writing the model failed for model.npz" in capsys.readouterr().err


def test_a_model_says_what_it_was_made_from(reference: Reference, model: Model) -> None:
    newest = date(int(SEASONS[-1][:4]), 10, 20).toordinal() + 3 * (EVENINGS - 1)
    assert model.trained_until.toordinal() == newest
    assert (model.code_hash, model.data_hash) == (training_hash(), reference.info.content_hash)
    assert set(model.players.markets) == set(MARKETS)
    other = replace(model, data_hash="other games")
    assert other.version != model.version
    assert other.version.rpartition("-")[0] == model.version.rpartition("-")[0]


def test_two_seasons_are_too_few(reference: Reference, history: History) -> None:
    first = int(SEASONS[0][:4])
    with pytest.raises(ValueError, match="two seasons"):
        train(reference, history.take(history.season <= first + 1))


def test_a_saved_model_forecasts_the_same(model: Model, saved: Path, history: History) -> None:
    again = load_model(saved)
    for name in ("trained_until", "code_hash", "data_hash", "version"):
        assert getattr(again, name) == getattr(model, name)
    features, same = (
        features_of(history, asked_of(history), newcomers=one.newcomers, chances=one.chances)
        for one in (model, again)
    )
    np.testing.assert_array_equal(features, same)
    before, after = (one.players.forecast(features) for one in (model, again))
    for field in fields(before):
        if field.name != "shapes":
            np.testing.assert_array_equal(getattr(before, field.name), getattr(after, field.name))
    for market in MARKETS:
        np.testing.assert_array_equal(before.shapes[market], after.shapes[market])
    for name, values in again.strength.arrays().items():
        np.testing.assert_array_equal(values, model.strength.arrays()[name])


Change = Callable[[dict[str, bytes]], object]


def changed(content: bytes, change: Change) -> bytes:
    """The archive with its entries changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return buffer.getvalue()


def an_array(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def with_format(number: int) -> Change:
    def change(entries: dict[str, bytes]) -> None:
        about = json.loads(entries["about.json"])
        entries["about.json"] = json.dumps({**about, "format": number}).encode()

    return change


FOREIGN: dict[str, Change] = {
    "another format": with_format(1),
    "no description": lambda entries: entries.pop("about.json"),
    "a list for a description": lambda entries: entries.update({"about.json": b"[]"}),
    "no JSON": lambda entries: entries.update({"about.json": b"\xff{"}),
    "a market is missing": lambda entries: entries.pop("points/linear/centre.npy"),
    "trees are missing": lambda entries: entries.pop("minutes/mean/value.npy"),
    "no strength": lambda entries: entries.pop("strength/weights.npy"),
    "no array": lambda entries: entries.update({"newcomers.npy": b"no array"}),
    "half an array": lambda entries: entries.update(
        {"newcomers.npy": entries["newcomers.npy"][:-7]}
    ),
    "a bare archive": lambda entries: entries.clear(),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_archive_is_no_model(saved: Path, name: str) -> None:
    saved.write_bytes(changed(saved.read_bytes(), FOREIGN[name]))
    with pytest.raises(ModelDamaged, match="make train"):
        load_model(saved)


def test_a_file_that_is_not_there_or_no_archive_is_no_model(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    for wrong in (b"", b"PK", b"not a model" * 100, content[:100], content[: len(content) // 2]):
        saved.write_bytes(wrong)
        with pytest.raises(ModelDamaged, match=r"model\.npz"):
            load_model(saved)
    for missing in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(ModelDamaged):
            load_model(missing)


def test_a_damaged_byte_is_noticed_or_changes_nothing(
    model: Model, saved: Path, tmp_path: Path
) -> None:
    content = saved.read_bytes()
    random = np.random.default_rng(5)
    # Anywhere, and in the directory of the archive at its end.
    directory = len(content) - 8_000
    places = [*random.integers(directory, size=30), *random.integers(directory, len(content), 30)]
    noticed = 0
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        saved.write_bytes(damaged)
        try:
            found = load_model(saved)
        except ModelDamaged:
            noticed += 1
            continue
        save_model(found, tmp_path / "again.npz")
        assert (tmp_path / "again.npz").read_bytes() == content
    assert noticed > 30


class _Opened:
    """Says so when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._mark,)


def test_nothing_is_unpickled(saved: Path, tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    harmful = an_array(np.array([_Opened(mark)], dtype=object))
    saved.write_bytes(
        changed(saved.read_bytes(), lambda entries: entries.update({"chances.npy": harmful}))
    )
    with pytest.raises(ModelDamaged):
        load_model(saved)
    assert not mark.exists()
    np.load(io.BytesIO(harmful), allow_pickle=True)
    assert mark.exists()


def test_the_shipped_model_is_that_of_this_code_and_these_games() -> None:
    shipped = shipped_model()
    forgotten = "train the model anew: make train"
    assert shipped.code_hash == training_hash(), forgotten
    assert shipped.data_hash == reference_hash(DATA), forgotten
    assert SHIPPED.stat().st_size < 1_000_000


def test_the_app_runs_without_what_training_needs() -> None:
    app = sorted(
        path.relative_to(ROOT).as_posix().removesuffix(".py").removesuffix("/__init__")
        for folder in ("commands", "jobs", "nba", "replica", "tracking", "ui")
        for path in (ROOT / folder).rglob("*.py")
    )
    training = {"nba/model/__main__", "nba/model/fitting", "nba/model/training"}
    names = [name.replace("/", ".") for name in app if name not in training]
    assert {"nba.slate", "nba.model.players", "jobs.application"} <= set(names)
    code = (
        "import importlib, sys\n"
        f"for name in {[*names, 'cli', 'prediction_tracking', 's3_storage']}:\n"
        "    importlib.import_module(name)\n"
        "print(sorted({'sklearn', 'scipy', 'joblib', 'threadpoolctl'} & set(sys.modules)))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout) == (0, "[]\n"), run.stderr
