"""The app's entry: process lifetime and navigation, nothing else."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from jobs.errors import ConfigurationError
from ui.frame import PAGES
from ui.runtime import close_application, get_application


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Start with the process, not with its first visitor; flush when the process is told to end."""
    try:
        get_application()
    except ConfigurationError as error:
        # Every page shows it too; a server that ends at once would show nobody what to mend.
        sys.stderr.write(f"{error}\n")
    yield
    close_application()


app = st.App(__file__, lifespan=lifespan)

if __name__ == "__main__":
    st.navigation(
        [
            # Without its icon, which Streamlit would make the visitor's browser fetch from Google.
            st.Page(path, title=title, default=path == PAGES[0][0])
            for path, title, _ in PAGES
        ],
        position="hidden",
    ).run()
