"""The state as a Streamlit connection."""

from __future__ import annotations

import gc
import importlib
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import apsw
import pytest
import streamlit as st

from jobs.application import Application
from jobs.authority import OWNER
from jobs.configuration import Settings
from jobs.errors import NotReady
from prediction_tracking import CONFLICT_COLUMNS
from tests.applications import AFTERNOON, published, running, settings_for
from ui.connection import ReplicaConnection
from ui.runtime import install_application


@contextmanager
def installed(application: Application) -> Iterator[Application]:
    install_application(application)
    try:
        yield application
    finally:
        install_application(None)
        st.cache_resource.clear()
        st.cache_data.clear()


@contextmanager
def started(settings: Settings) -> Iterator[Application]:
    """An application that has logged tonight, and does nothing more by itself."""
    with running(settings, ticks=False) as application:
        application.tick()
        yield application


def connect() -> ReplicaConnection:
    return st.connection("nba_state", type=ReplicaConnection)


COUNT = "SELECT count(*) AS runs FROM runs WHERE source = ?"


def test_rows_follow_what_is_logged(tmp_path: Path, reference_path: Path) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    with started(settings) as application, installed(application):
        published(application)
        assert connect().query(COUNT, ["app"]).to_dict("list") == {"runs": [1]}
        application.revise(OWNER, application.clock().date())
        assert connect().query(COUNT, ["app"]).to_dict("list") == {"runs": [2]}
        assert connect().saved_state().status is not None
        assert connect().predictions().conflicts().empty
        assert list(connect().predictions().conflicts().columns) == list(CONFLICT_COLUMNS)


def test_an_empty_answer_has_its_columns_and_nothing_can_be_written(
    tmp_path: Path, reference_path: Path
) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    with started(settings) as application, installed(application):
        empty = connect().query("SELECT run_id, source FROM runs WHERE FALSE")
        assert list(empty.columns) == ["run_id", "source"]
        assert len(connect().query("SELECT * FROM reference.teams")) == 30
        with pytest.raises(apsw.ReadOnlyError):
            connect().query("DELETE FROM runs")
        with pytest.raises(apsw.SQLError):
            connect().query("SELECT nothing FROM nowhere")


def test_the_application_of_the_moment_is_found_after_a_change(
    tmp_path: Path, reference_path: Path
) -> None:
    first_settings = settings_for(tmp_path / "one" / "state", reference_path)
    second_settings = settings_for(tmp_path / "two" / "state", reference_path)
    with started(first_settings) as first, installed(first):
        published(first)
        kept = connect()
        first.revise(OWNER, first.clock().date())
        assert kept.query(COUNT, ["app"]).to_dict("list") == {"runs": [2]}
        with started(second_settings) as second:
            published(second)
            install_application(second)
            assert kept.query(COUNT, ["app"]).to_dict("list") == {"runs": [1]}
            # "Clear cache" builds another connection; the replica is the process's and stays.
            st.cache_resource.clear()
            assert connect() is not kept
            assert connect().query(COUNT, ["app"]).to_dict("list") == {"runs": [1]}
            assert kept.query(COUNT, ["app"]).to_dict("list") == {"runs": [1]}


def test_a_connection_of_code_that_was_replaced_goes_on_with_the_new(
    tmp_path: Path, reference_path: Path
) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings) as application, installed(application):
        published(application)
        kept = connect()
        # As Streamlit does it when a file has changed: the module is thrown away and run anew.
        replaced = sys.modules.pop("ui.connection")
        try:
            newest = importlib.import_module("ui.connection").ReplicaConnection
            assert newest is not ReplicaConnection
            assert st.connection("nba_state", type=newest) is kept
            assert type(kept) is newest
            assert kept.query(COUNT, ["app"]).to_dict("list") == {"runs": [1]}
        finally:
            sys.modules["ui.connection"] = replaced


def test_nothing_of_a_closed_application_is_kept(tmp_path: Path, reference_path: Path) -> None:
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        install_application(application)
        connection = connect()
        connection.query(COUNT, ["app"])
        install_application(None)
        st.cache_data.clear()
        gone = weakref.ref(application)
    del application
    gc.collect()
    assert gone() is None
    assert connection is connect()
    st.cache_resource.clear()


def test_before_the_history_is_there_it_is_said(tmp_path: Path, reference_path: Path) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    application = Application(settings, clock=lambda: AFTERNOON, generator=Random(1))
    with installed(application), pytest.raises(NotReady):
        connect().predictions()
    with installed(application), pytest.raises(TypeError, match="bucket"):
        st.connection("nba_state", type=ReplicaConnection, bucket="mine")
