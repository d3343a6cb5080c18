"""Hashes of the code: what trains a model, and what projects with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

__all__ = ["PROJECTING", "TRAINING", "projecting_hash", "training_hash"]

TRAINING: Final = ("history.py", "stats.py", "features/*.py", "model/*.py", "strength/*.py")
"""What a model is made by, as patterns below `nba/`: after a change it has to be trained anew."""

PROJECTING: Final = (
    *("availability.py", "knowledge.py", "ratings.py", "reference.py", "reference_learned.py"),
    *("reference_rosters.py", "rosters.py", "seasons.py", "slate.py", "squad.py"),
)
"""What else a slate's projection follows from: after a change the same model says other things."""


def training_hash() -> str:
    """The SHA-256 of the code that trains a model."""
    return _hash_of(TRAINING)


@lru_cache(maxsize=1)
def projecting_hash() -> str:
    """The SHA-256 of the code that makes a slate's projection with a model."""
    return _hash_of(PROJECTING)


def _hash_of(patterns: Iterable[str]) -> str:
    digest = hashlib.sha256()
    folder = Path(__file__).parent.parent
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
