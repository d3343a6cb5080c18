"""The reference of the real bundled seasons, built once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from nba.reference import Reference, build_reference
from tests.nba_bundle import DATA


@pytest.fixture(scope="session")
def reference_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_reference(DATA, tmp_path_factory.mktemp("reference") / "reference.db")


@pytest.fixture(scope="session")
def reference(reference_path: Path) -> Reference:
    return Reference(reference_path)
