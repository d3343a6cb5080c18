"""What a page that was drawn within the tests' own process must not leave to the next test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import streamlit as st

from ui.runtime import install_application

__all__ = ["main_module", "main_module_given_back", "no_application_is_left"]


@contextmanager
def main_module_given_back() -> Iterator[None]:
    """A page that runs stays Python's main module, and spawned processes would run it first."""
    main = sys.modules["__main__"]
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    with main_module_given_back():
        yield


@pytest.fixture
def no_application_is_left() -> Iterator[None]:
    """For tests that install an application for pages to find."""
    yield
    install_application(None)
    st.cache_resource.clear()
    st.cache_data.clear()
