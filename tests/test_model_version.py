"""A mend of what projects makes another version: last night's run is not taken for tonight's."""

from __future__ import annotations

import ast
from pathlib import Path

import nba
from nba.model.versions import PROJECTING, TRAINING

PACKAGE = Path(nba.__file__).parent
ENTRY = "nba.slate"
# They say what goes wrong, or make the reference, whose content has a hash of its own.
WITHOUT_A_SAY = {"errors.py", "reference_build.py", "reference_rows.py", "reference_tables.py"}


def imported(module: str) -> set[str]:
    """What a module imports of the package over any number of steps, itself included."""
    found: set[str] = set()
    to_do = [module]
    while to_do:
        name = to_do.pop()
        path = PACKAGE.parent / Path(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name in found or not path.exists():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nba"):
                to_do += [str(node.module), *(f"{node.module}.{one.name}" for one in node.names)]
    return found


def file_of(module: str) -> str:
    path = PACKAGE.parent / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.relative_to(PACKAGE).as_posix()


def test_the_version_covers_all_that_a_slate_is_projected_by() -> None:
    hashed = {
        path.relative_to(PACKAGE).as_posix()
        for pattern in (*TRAINING, *PROJECTING)
        for path in PACKAGE.glob(pattern)
    }
    used = {file_of(one) for one in imported(ENTRY)} - {"__init__.py"}
    assert {"squad.py", "rosters.py", "knowledge.py", "ratings.py", "slate.py"} <= used
    assert used - hashed - WITHOUT_A_SAY == set()
