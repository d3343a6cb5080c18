"""What a run ends with when an invariant does not hold."""

from __future__ import annotations

__all__ = ["Violation"]


class Violation(AssertionError):
    """``rule`` is the invariant (I1-I6) or what else the engine promises."""

    def __init__(self, rule: str, found: str) -> None:
        self.rule = rule
        super().__init__(f"{rule}: {found}")
