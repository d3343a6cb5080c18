"""Sharing: what was shared, until when, and the end of it. The owner's."""

from __future__ import annotations

from ui.frame import open_page
from ui.sharing_view import show_sharing

show_sharing(open_page("Sharing"))
