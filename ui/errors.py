"""What a page says of an error: everything to the owner, to others nothing of the machine."""

from __future__ import annotations

import streamlit as st

from jobs.authority import Actor
from jobs.errors import ConfigurationError, NotReady
from jobs.saved import public_words
from nba.errors import NbaError
from replica import ReplicaError
from ui.formats import plain

__all__ = ["error_words", "show_error"]

# These name files, buckets and hosts; what the others name the visitor has typed himself.
_OF_THE_MACHINE = (ConfigurationError, NbaError, NotReady, ReplicaError)


def error_words(actor: Actor, error: Exception) -> str:
    """A sentence or two, without Markdown in mind."""
    if actor.is_owner or not isinstance(error, _OF_THE_MACHINE):
        return str(error)
    return public_words(error)


def show_error(actor: Actor, error: Exception) -> None:
    """Draw what may be said of it."""
    st.error(plain(error_words(actor, error)))
