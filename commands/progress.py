"""Progress of long work, as every command shows it; training, below, has the same bar."""

from __future__ import annotations

from nba.progress import ProgressBar

__all__ = ["ProgressBar"]
