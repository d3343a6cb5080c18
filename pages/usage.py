"""Usage: what was asked of the bucket, what lies there, and what that costs. The owner's."""

from __future__ import annotations

from ui.frame import open_page
from ui.usage_view import show_usage

show_usage(open_page("Usage"))
