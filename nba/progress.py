"""Progress of long work, on standard error so that the answer on standard output stays clean."""

from __future__ import annotations

import re
import shutil
import threading
from typing import TextIO

__all__ = ["ProgressBar"]

_BAR_CHARACTERS = 20
_LEAST_STEP = 0.25
_COUNTS = re.compile(r"\d[\d,]*")
_LINE_END = "\x1b[K"


class ProgressBar:
    """A bar on a terminal; elsewhere a line for each stage, so that a log of it stays short.

    Calling it reports a share (0 to 1) and a few words. It may be called from any thread. `quiet`
    writes nothing at all.
    """

    def __init__(self, stream: TextIO, *, quiet: bool = False) -> None:
        self._stream = stream
        self._quiet = quiet
        self._is_terminal = stream.isatty()
        self._lock = threading.Lock()
        self._stage = ""
        self._last_share = 0.0
        self._drawn = False

    def __call__(self, share: float, words: str) -> None:
        """Say how far the work has come."""
        if self._quiet:
            return
        share = min(max(share, 0.0), 1.0)
        with self._lock:
            if self._is_terminal:
                self._draw(share, words)
            else:
                self._line(share, words)

    def preparing(self, share: float, words: str) -> None:
        """Say how far the start has come; only on a terminal, a log need not tell of each start."""
        if self._is_terminal:
            self(share, words)

    def clear(self) -> None:
        """Take the bar away before something else is printed."""
        with self._lock:
            if self._drawn:
                self._stream.write(f"\r{_LINE_END}")
                self._stream.flush()
            self._drawn = False

    def _draw(self, share: float, words: str) -> None:
        filled = round(share * _BAR_CHARACTERS)
        bar = "#" * filled + "-" * (_BAR_CHARACTERS - filled)
        text = f"[{bar}] {share:4.0%} {words}"
        # A line that wraps cannot be overwritten.
        width = max(shutil.get_terminal_size().columns - 1, 1)
        self._stream.write(f"\r{text[:width]}{_LINE_END}")
        self._stream.flush()
        self._drawn = True

    def _line(self, share: float, words: str) -> None:
        stage = _COUNTS.sub("#", words)
        if stage == self._stage and share < self._last_share + _LEAST_STEP:
            return
        self._stage, self._last_share = stage, share
        self._stream.write(f"{share:4.0%} {words}\n")
        self._stream.flush()
