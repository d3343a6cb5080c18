"""Backups: the copies that are kept, and the way back to any moment. The owner's."""

from __future__ import annotations

from ui.backups_view import show_backups
from ui.frame import open_page

show_backups(open_page("Backups"))
