"""What a deliberate defect is: a few functions of the real program, replaced while a run lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from unittest.mock import patch

__all__ = ["Defect", "Patches", "Variant", "registering"]


@dataclass(frozen=True, slots=True)
class Variant:
    """``broken()`` is the program with the defect while the block lasts."""

    name: str
    defect: str
    broken: Callable[[], AbstractContextManager[None]]


Patches = Iterator[tuple[object, str, object]]
"""What to replace: an object, an attribute, a new value."""
Defect = Callable[[], Patches]


def registering(variants: dict[str, Variant]) -> Callable[[Defect], Defect]:
    """A decorator that adds a defect to ``variants`` under its function's name."""

    def register(function: Defect) -> Defect:
        @contextmanager
        def broken() -> Iterator[None]:
            with ExitStack() as patches:
                for target, attribute, value in function():
                    patches.enter_context(patch.object(target, attribute, value))
                yield

        name = function.__name__.removeprefix("_").replace("_", "-")
        variants[name] = Variant(name, str(function.__doc__), broken)
        return function

    return register
