"""What the entry tries again while new code arrives, and what it does not."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from streamlit_app import while_importing


def test_a_vanished_module_is_tried_again() -> None:
    with pytest.raises(ImportError) as caught:
        importlib.import_module("nba.no_such_module")
    assert while_importing(caught.value)


def test_an_error_inside_an_import_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_a_module.py").write_text("import nba\nnba.gone\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AttributeError) as caught:
        importlib.import_module("half_a_module")
    assert while_importing(caught.value)


def test_a_pages_own_defect_is_shown() -> None:
    with pytest.raises(KeyError) as caught:
        dict[str, str]()["missing"]
    assert not while_importing(caught.value)
