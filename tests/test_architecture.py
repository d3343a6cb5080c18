"""The arrows between the rooms of the house, read from the import statements."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import replica

ROOT = Path(__file__).resolve().parent.parent

# An arrow points to what a room stands on; it may use whatever lies further below as well.
ARROWS: dict[str, set[str]] = {
    "streamlit_app": {"ui"},
    "cli": {"commands"},
    "commands": {"jobs"},
    "pages": {"ui"},
    "ui": {"jobs"},
    "jobs": {"prediction_tracking", "s3_storage", "exports", "images", "usage"},
    "prediction_tracking": {"tracking"},
    "tracking": {"nba", "replica"},
    "s3_storage": {"replica"},
    "exports": set(),
    "images": set(),
    "usage": set(),
    "nba": set(),
    "replica": set(),
}

# Who may use what; a library that is not named here may be used anywhere.
LIBRARY_ROOMS: dict[str, tuple[str, ...]] = {
    "streamlit": ("streamlit_app.py", "pages/", "ui/"),
    "altair": ("pages/", "ui/"),
    "boto3": ("replica/stores/",),
    "botocore": ("replica/stores/",),
    "apscheduler": ("jobs/",),
    "argon2": ("jobs/",),
    "apsw": ("replica/", "tracking/", "prediction_tracking.py", "nba/reference"),
    "pyarrow": ("nba/", "tracking/history_files.py", "tracking/history_partitions.py"),
    "nba_api": ("nba/sources/",),
    "requests": ("nba/sources/",),
    "PIL": ("images/",),
    "urllib3": ("images/", "nba/sources/", "replica/stores/"),
    "vl_convert": ("exports/",),
    "scipy": (),
    "sklearn": ("nba/model/training.py",),
    "sqlite3": (),
}
LIBRARIES_FORBIDDEN_IN: dict[str, set[str]] = {"replica": {"pandas", "numpy", "pyarrow"}}

# Not part of the app, and so free to use all of it; nobody may import them.
OUTSIDE = {"tests", "benchmarks", "data", "docs", "infra"}

SQL = re.compile(
    r"^\s*(?:select|SELECT)\b[\s\S]*\b(?:from|FROM)\b"
    r"|\b(?:INSERT(?: OR [A-Z]+)? INTO|DELETE FROM|CREATE (?:TABLE|INDEX|VIEW)|PRAGMA)\b"
    r"|\bUPDATE \w+ SET\b"
)


@dataclass(frozen=True)
class Import:
    """One imported name: `module` in full, as seen from the file that imports it."""

    path: str
    line: int
    module: str
    for_types_only: bool = False


@dataclass(frozen=True)
class SourceFile:
    path: str  # relative, with slashes
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.path.split("/")[0].removesuffix(".py")

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def imports(self) -> Iterator[Import]:
        package = self.module.split(".")
        if not self.path.endswith("/__init__.py"):
            package = package[:-1]
        types_only = {
            inner
            for node in ast.walk(self.tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(self.tree):
            for module in imported_modules(node, package):
                yield Import(self.path, line_of(node), module, node in types_only)


def line_of(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0))


def imported_modules(node: ast.AST, package: list[str]) -> list[str]:
    """Full names that one statement or call imports; `package` is where it stands."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = ast.unparse(node.func).split(".")[-1]
        name = node.args[0].value
        if called in {"import_module", "__import__"} and isinstance(name, str):
            return [name]
    return []


def source_files(root: Path) -> list[SourceFile]:
    found = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if not any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
            tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
            found.append(SourceFile(relative.as_posix(), tree))
    return found


def below(room: str) -> set[str]:
    """All rooms that the arrows lead to."""
    reached: set[str] = set()
    waiting = list(ARROWS.get(room, ()))
    while waiting:
        next_room = waiting.pop()
        if next_room not in reached:
            reached.add(next_room)
            waiting.extend(ARROWS[next_room])
    return reached


def broken_arrows(files: list[SourceFile]) -> list[str]:
    """Imports against an arrow, and libraries in rooms where they do not belong."""
    broken = []
    for file in files:
        in_app = file.room not in OUTSIDE
        if in_app and file.room not in ARROWS:
            broken.append(f"{file.path}: no arrow says where this room stands")
        for found in file.imports():
            top = found.module.split(".")[0]
            place = f"{found.path}:{found.line}"
            if in_app and (top in ARROWS or top in OUTSIDE):
                if top != file.room and top not in below(file.room):
                    broken.append(f"{place}: {file.room} must not import {top}")
            elif in_app and top in LIBRARY_ROOMS:
                if not file.path.startswith(LIBRARY_ROOMS[top]):
                    broken.append(f"{place}: {top} has no place here")
            elif top == "sqlite3":
                broken.append(f"{place}: sqlite3 has no place anywhere")
            if top in LIBRARIES_FORBIDDEN_IN.get(file.room, ()):
                broken.append(f"{place}: {file.room} must not import {top}")
    return broken


def private_names(files: list[SourceFile], public: Collection[str]) -> list[str]:
    """Imports from `replica` by the app's other rooms that are neither public nor a store."""
    return [
        f"{found.path}:{found.line}: {found.module} is replica's own"
        for file in files
        if file.room in ARROWS and file.room != "replica"
        for found in file.imports()
        if found.module.startswith("replica.")
        and not found.module.startswith("replica.stores.")
        and found.module.removeprefix("replica.") not in public
    ]


def sql_in_pages(files: list[SourceFile]) -> list[str]:
    """Statements in the text of pages."""
    return [
        f"{file.path}:{node.lineno}: SQL in a page"
        for file in files
        if file.room == "pages"
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]


def import_cycle(files: list[SourceFile]) -> list[str]:
    """The modules of one import cycle, the first repeated at the end; empty if there is none."""
    modules = {file.module for file in files}
    graph: dict[str, set[str]] = {}
    for file in files:
        graph[file.module] = set()
        for found in file.imports():
            if found.for_types_only:
                continue  # absent when the program runs
            # `from package import name` means the module of that name, if there is one.
            for name in (found.module, found.module.rpartition(".")[0]):
                if name in modules:
                    if name != file.module:
                        graph[file.module].add(name)
                    break
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle[::-1]
    return []


@pytest.fixture(scope="module")
def house() -> list[SourceFile]:
    files = source_files(ROOT)
    assert {"replica", "nba", "jobs", "pages", "ui"} <= {file.room for file in files}
    return files


def test_imports_follow_the_arrows(house: list[SourceFile]) -> None:
    assert broken_arrows(house) == []


def test_the_app_uses_what_replica_offers(house: list[SourceFile]) -> None:
    assert private_names(house, replica.__all__) == []


def test_pages_hold_no_sql(house: list[SourceFile]) -> None:
    assert sql_in_pages(house) == []


def test_no_module_imports_itself_by_a_detour(house: list[SourceFile]) -> None:
    assert import_cycle(house) == []


def tree(folder: Path, sources: dict[str, str]) -> list[SourceFile]:
    for path, text in sources.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return source_files(folder)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("replica/replica.py", "from nba.stats import STATS"),
        ("replica/replica.py", "import streamlit"),
        ("replica/replica.py", "import pandas as pd"),
        ("replica/replica.py", "def late():\n    import pandas"),
        ("nba/slate.py", "import replica.errors"),
        ("nba/slate.py", "import importlib\nimportlib.import_module('tracking.runs')"),
        ("nba/features/form.py", "import apsw"),
        ("tracking/runs.py", "from prediction_tracking import PredictionLog"),
        ("tracking/runs.py", "from s3_storage import S3PredictionStorage"),
        ("s3_storage.py", "import nba"),
        ("s3_storage.py", "import boto3"),
        ("jobs/timer.py", "import streamlit as st"),
        ("jobs/timer.py", "from ui import sidebar"),
        ("ui/sidebar.py", "from pages import today"),
        ("ui/sidebar.py", "import boto3.session"),
        ("pages/today.py", "import apsw"),
        ("pages/today.py", "from botocore.exceptions import ClientError"),
        ("cli.py", "from ui import formats"),
        ("commands/season.py", "from ui import formats"),
        ("commands/season.py", "import apsw"),
        ("jobs/verification.py", "from commands import state"),
        ("cli.py", "import tests.servers"),
        ("tests/test_x.py", "import sqlite3"),
        ("helpers/text.py", "X = 1"),
    ],
)
def test_a_broken_arrow_is_found(tmp_path: Path, path: str, text: str) -> None:
    assert [line.split(":")[0] for line in broken_arrows(tree(tmp_path, {path: text}))] == [path]


def test_what_the_arrows_allow_is_let_through(tmp_path: Path) -> None:
    allowed = {
        "streamlit_app.py": "import streamlit\nfrom jobs import state\nfrom ui import sidebar",
        "cli.py": "from commands import season\nfrom jobs import state",
        "commands/season.py": "from jobs import state\nfrom nba.seasons import season_of",
        "pages/today.py": "import streamlit\nfrom ui import sidebar\nfrom nba.stats import STATS",
        "ui/sidebar.py": "import streamlit\nfrom jobs.state import AppState",
        "jobs/state.py": "import s3_storage\nfrom replica import Replica",
        "prediction_tracking.py": "from tracking.runs import Run\nfrom replica import Replica",
        "tracking/runs.py": "import apsw\nfrom . import schema",
        "s3_storage.py": "import pandas\nfrom replica import Replica",
        "replica/replica.py": "import apsw\nfrom .errors import ReplicaError",
        "replica/stores/s3.py": "import boto3\nfrom ..errors import StoreError",
        "tests/test_x.py": "import streamlit, boto3, apsw\nfrom pages import today",
    }
    assert broken_arrows(tree(tmp_path, allowed)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from replica.exchange import Exchange", True),
        ("from replica import exchange", True),
        ("import replica.live", True),
        ("from replica import Replica", False),
        ("from replica.stores.s3 import S3Store", False),
    ],
)
def test_a_private_name_is_found(tmp_path: Path, text: str, found: bool) -> None:
    house = tree(tmp_path, {"jobs/state.py": text, "replica/a.py": text, "tests/test_x.py": text})
    lines = private_names(house, replica.__all__)
    assert [line.split(":")[0] for line in lines] == (["jobs/state.py"] if found else [])


@pytest.mark.parametrize(
    "text",
    [
        "frame = read('SELECT * FROM runs')",
        "read(f'select run_id from {table}')",
        "read('''\n    SELECT run_id\n    FROM runs\n''')",
        "run('DELETE FROM runs')",
        "run('UPDATE runs SET origin = 1')",
        "run('PRAGMA user_version')",
    ],
)
def test_sql_in_a_page_is_found(tmp_path: Path, text: str) -> None:
    assert len(sql_in_pages(tree(tmp_path, {"pages/today.py": text}))) == 1


def test_prose_in_a_page_is_not_sql(tmp_path: Path) -> None:
    prose = "label('Select a date from the list, or insert into the box what you update.')"
    assert sql_in_pages(tree(tmp_path, {"pages/today.py": prose})) == []


def test_a_cycle_is_found(tmp_path: Path) -> None:
    files = tree(
        tmp_path,
        {
            "nba/__init__.py": "",
            "nba/a.py": "from nba import b",
            "nba/b.py": "def late():\n    from .c import X",
            "nba/c.py": "import nba.a\nX = 1",
        },
    )
    cycle = import_cycle(files)
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"nba.a", "nba.b", "nba.c"}


def test_a_package_that_gathers_its_modules_is_no_cycle(tmp_path: Path) -> None:
    files = tree(
        tmp_path,
        {
            "replica/__init__.py": "from replica.a import A\nfrom replica.b import B",
            "replica/a.py": "A = 1",
            "replica/b.py": "from replica.a import A\nB = A",
        },
    )
    assert import_cycle(files) == []


def test_an_import_for_types_only_obeys_the_arrows_but_makes_no_cycle(tmp_path: Path) -> None:
    late = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
    files = tree(
        tmp_path,
        {
            "nba/a.py": "import nba.b",
            "nba/b.py": f"{late}import nba.a\n    import replica.errors",
        },
    )
    assert import_cycle(files) == []
    assert broken_arrows(files) == ["nba/b.py:4: nba must not import replica"]
