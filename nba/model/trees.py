"""Boosted regression trees as plain arrays: nothing needs to be unpickled to use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.history import Floats

__all__ = ["Trees"]


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
        trees = np.arange(len(self.feature))
        result = np.full(len(inputs), float(self.base[0]))
        for begin in range(0, len(inputs), 4_096):
            part = inputs[begin : begin + 4_096]
            rows = np.arange(len(part))[:, None]
            node = np.zeros((len(part), len(trees)), np.int16)
            for _ in range(int(self.depth[0])):
                seen = part[rows, self.feature[trees, node]]
                goes_left = seen <= self.threshold[trees, node]
                node = np.where(goes_left, self.left[trees, node], self.right[trees, node])
            # One row at a time gives the same bits as many: a sum over the last axis does.
            leaves = np.ascontiguousarray(self.value[trees, node], np.float64)
            result[begin : begin + 4_096] += leaves.sum(axis=1)
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Trees:
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})
