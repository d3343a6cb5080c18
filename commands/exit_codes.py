"""How a command tells a script what became of it."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode"]


class ExitCode(IntEnum):
    """What the process ends with; the same for every command."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    DONE_IN_PART = 3
    """Everything that could be done is done and saved; a source or a result is missing."""
