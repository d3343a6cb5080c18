"""What a button led to, kept for the session: the page is drawn anew after the work is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from jobs.errors import EXPLAINED
from ui.formats import moment, plain
from ui.frame import Frame

__all__ = ["do_and_answer", "show_answer"]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Text that begins with when it was; `is_error` if the work was not done."""

    text: str
    is_error: bool = False


def do_and_answer(frame: Frame, place: str, work: Callable[[], str]) -> None:
    """Do what a button says and draw the page anew; `show_answer(place)` shows what came of it.

    `work` returns what to answer, "" where the page itself shows it; what it raises of EXPLAINED is
    the answer too.
    """
    with st.spinner("Waiting for the store"):
        try:
            text = work()
            answer = _Answer(_at(frame, text)) if text else None
        except EXPLAINED as error:
            answer = _Answer(_at(frame, str(error)), is_error=True)
    # Kept before anything more is drawn: there a run may be given up for the next one.
    st.session_state[place] = answer
    st.rerun()


def show_answer(place: str) -> None:
    """The newest answer of this place, if there is one."""
    answer: _Answer | None = st.session_state.get(place)
    if answer is not None:
        (st.error if answer.is_error else st.info)(plain(answer.text))


def _at(frame: Frame, text: str) -> str:
    return f"{moment(frame.application.clock(), frame.zone)}: {text}"
