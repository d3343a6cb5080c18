"""Ridge regression, and quantiles that follow its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nba.history import Floats

__all__ = ["Linear", "Shift", "fit_linear", "fit_shift"]

Doubles = NDArray[np.float64]

_PENALTY: Final = 100.0
_GROUPS: Final = 40
_ROWS_AT_A_TIME: Final = 16_384
_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class Linear:
    """A constant and a coefficient for each column, after centring and scaling.

    `centre`, `scale` and `coefficients` have the shape (columns,), `constant` (1,).
    """

    centre: Doubles
    scale: Doubles
    coefficients: Doubles
    constant: Doubles

    def filled(self, inputs: Floats) -> Floats:
        """The same with each NaN replaced by its column's average in training."""
        unknown = np.isnan(inputs)
        if not unknown.any():
            return inputs
        return np.where(unknown, self.centre.astype(np.float32), inputs)

    def predict(self, inputs: Floats) -> Doubles:
        """One number for each row of `inputs` (rows, columns), without NaN."""
        # Added up column by column, so that a row's result does not depend on the other rows.
        result = np.full(len(inputs), self.constant[0])
        for column, weight in enumerate(self.coefficients / self.scale):
            result += (inputs[:, column] - self.centre[column]) * weight
        return result

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Linear:
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


def fit_linear(inputs: Floats, target: Floats) -> Linear:
    """Least squares with a ridge penalty on the scaled columns; NaN counts as the average."""
    known = ~np.isnan(inputs)
    counted = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, inputs, np.float32(0.0))
    centre = filled.sum(axis=0, dtype=np.float64) / counted
    squares = np.einsum("ij,ij->j", filled, filled, dtype=np.float64) / counted
    scale = np.sqrt(np.maximum(squares - centre**2, 0.0))
    scale = np.where(scale < 1e-6, 1.0, scale)
    columns = inputs.shape[1]
    products, moments = np.zeros((columns, columns)), np.zeros(columns)
    constant = float(target.mean(dtype=np.float64))
    for begin in range(0, len(inputs), _ROWS_AT_A_TIME):
        part = inputs[begin : begin + _ROWS_AT_A_TIME].astype(np.float64)
        scaled = np.nan_to_num((part - centre) / scale)
        products += scaled.T @ scaled
        moments += scaled.T @ (target[begin : begin + _ROWS_AT_A_TIME] - constant)
    found = np.linalg.solve(products + _PENALTY * np.eye(columns), moments)
    return Linear(
        centre.round(_DECIMALS),
        scale.round(_DECIMALS),
        np.asarray(found, np.float64).round(_DECIMALS),
        np.array([constant]).round(_DECIMALS),
    )


@dataclass(frozen=True, slots=True)
class Shift:
    """A number that follows another along straight lines: `by` at each of `at`, (groups,)."""

    at: Doubles
    by: Doubles

    def of(self, values: NDArray[np.floating]) -> Doubles:
        """The number for each of `values`; beyond the ends that of the end."""
        found: Doubles = np.interp(values, self.at, self.by)
        return found

    def apply(self, forecast: Doubles) -> Doubles:
        """Forecasts with the number added."""
        return forecast + self.of(forecast)


def fit_shift(
    by: NDArray[np.floating],
    left: Doubles,
    figure: Callable[[Doubles], float],
    groups: int = _GROUPS,
) -> Shift:
    """A figure of what is left over, in groups of equal size along `by`."""
    edges = np.quantile(by, np.linspace(0.0, 1.0, groups + 1))
    group = np.searchsorted(edges[1:-1], by)
    members = [group == one for one in range(groups) if (group == one).any()]
    at = np.array([float(by[one].mean()) for one in members])
    return Shift(at, np.array([float(figure(left[one])) for one in members]).round(_DECIMALS))
