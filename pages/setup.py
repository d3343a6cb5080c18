"""Setup: what is set, whether it works, and what mends it. The owner's."""

from __future__ import annotations

from ui.frame import open_page
from ui.setup_view import show_setup

show_setup(open_page("Setup"))
