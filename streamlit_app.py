"""The app's entry: process lifetime and navigation, nothing else.

Everything of the app is imported late. After an update of the code each visitor's session takes
the changed modules away, also from under another session that is just importing them; what is
imported in here can then be tried again.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

_ATTEMPTS_KEY = "import_attempts"
_MOST_ATTEMPTS = 8
_PAUSE_SECONDS = 0.25


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Start with the process, not with its first visitor; flush when the process is told to end."""
    from jobs.errors import ConfigurationError
    from ui.runtime import close_application, get_application

    try:
        get_application()
    except ConfigurationError as error:
        # Every page shows it too; a server that ends at once would show nobody what to mend.
        sys.stderr.write(f"{error}\n")
    yield
    close_application()


def show_page() -> None:
    """Draw the page of the address."""
    from ui.frame import PAGES

    st.navigation(
        [
            # Without its icon, which Streamlit would make the visitor's browser fetch from Google.
            st.Page(path, title=title, default=path == PAGES[0][0])
            for path, title, _ in PAGES
        ],
        position="hidden",
    ).run()


def while_importing(error: Exception) -> bool:
    """Whether a module vanished under an import; a page's own defects are not tried again.

    The import machinery itself runs into a KeyError or an AttributeError then.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, ImportError) or any(
        frame.filename.startswith("<frozen importlib") for frame in frames
    )


app = st.App(__file__, lifespan=lifespan)

if __name__ == "__main__":
    try:
        show_page()
    except (ImportError, KeyError, AttributeError) as error:
        attempts = st.session_state.get(_ATTEMPTS_KEY, 0)
        if attempts >= _MOST_ATTEMPTS or not while_importing(error):
            raise
        st.session_state[_ATTEMPTS_KEY] = attempts + 1
        time.sleep(_PAUSE_SECONDS)
        st.rerun()
    else:
        st.session_state.pop(_ATTEMPTS_KEY, None)
