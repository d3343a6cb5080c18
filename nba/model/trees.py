"""Boosted regression trees as plain arrays: nothing needs to be unpickled to use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nba.history import Floats

__all__ = ["Trees"]

_ROWS_AT_A_TIME: Final = 1_024


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees whose values are added up.

    Each array but `base` (1,) has the shape (trees, nodes); node 0 is the root. A row goes to
    `left` where its number in column `feature` is at most `threshold`, else to `right`. A leaf's
    children are the leaf itself. `depth` (1,) is the longest way to a leaf.
    """

    base: Floats
    feature: NDArray[np.int16]
    threshold: Floats
    left: NDArray[np.int16]
    right: NDArray[np.int16]
    value: Floats
    depth: NDArray[np.int16]

    def predict(self, inputs: Floats) -> NDArray[np.float64]:
        """The sum for each row of `inputs` (rows, columns); there must be no NaN."""
        trees, nodes = self.feature.shape
        root = np.arange(trees) * nodes
        feature = self.feature.ravel().astype(np.intp)
        threshold, value = self.threshold.ravel(), self.value.ravel()
        # A node's children side by side, the right one first: taking one is a single look-up.
        both = np.stack([self.right, self.left], axis=2) + root[:, None, None]
        children = both.ravel().astype(np.intp)
        result = np.full(len(inputs), float(self.base[0]))
        for begin in range(0, len(inputs), _ROWS_AT_A_TIME):
            part = np.ascontiguousarray(inputs[begin : begin + _ROWS_AT_A_TIME])
            row = np.arange(len(part))[:, None] * part.shape[1]
            node = np.tile(root, (len(part), 1))
            for _ in range(int(self.depth[0])):
                goes_left = part.take(row + feature.take(node)) <= threshold.take(node)
                node = children.take(2 * node + goes_left)
            # One row at a time gives the same bits as many: a sum over the last axis does.
            leaves = value.take(node).astype(np.float64)
            result[begin : begin + _ROWS_AT_A_TIME] += leaves.sum(axis=1)
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Trees:
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})
