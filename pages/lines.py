"""Your Lines: a visitor's own lines beside the model."""

from __future__ import annotations

from ui.frame import open_page
from ui.lines import show_lines

show_lines(open_page("Your Lines"))
