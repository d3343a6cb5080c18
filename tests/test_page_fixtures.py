"""A page that was drawn by one test is not in the next one's way."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.page_fixtures import main_module_given_back


def _page() -> None:
    import multiprocessing

    import streamlit as st

    st.title("A page")
    if multiprocessing.parent_process() is not None:
        raise SystemExit("a process that was spawned has run the page")


def test_a_process_that_is_spawned_does_not_run_the_page_that_was_drawn(tmp_path: Path) -> None:
    with main_module_given_back():
        test = AppTest.from_function(_page).run()
        assert [title.value for title in test.title] == ["A page"]
    touch: Callable[[], None] = (tmp_path / "ran").touch
    child = multiprocessing.get_context("spawn").Process(target=touch)
    child.start()
    child.join(120)
    assert child.exitcode == 0
    assert (tmp_path / "ran").exists()
