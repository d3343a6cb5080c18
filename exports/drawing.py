"""Charts as pictures: Vega-Lite specifications drawn as SVG, for pages that run no scripts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from exports import drawing_process
from exports.errors import DrawingFailed

__all__ = ["DRAWING_SECONDS", "draw"]

DRAWING_SECONDS: Final = 60.0
"""How long all charts of one export may take together."""

_OPERATION: Final = "draw"
_WIDTH_PIXELS: Final = 640
_CONTAINER: Final = "container"
# Where rows of data stand: their columns may have any name.
_ROWS: Final = frozenset({"values", "datasets"})
_SVG_OPENS: Final = re.compile(r"<svg\b[^>]*>")
# A picture knows its reader's theme, not the page's, and takes its ink from it.
_STYLE: Final = (
    "<style>:root{color:#1b1f24}@media (prefers-color-scheme:dark){:root{color:#e6e9ee}}</style>"
)
_LONGEST_REASON: Final = 200
_TRY_ANOTHER_FORMAT: Final = "Export the view as CSV or Parquet, and report this chart."
_TRY_AGAIN: Final = "Try again when the machine is less busy, or export as CSV or Parquet."


def draw(
    specifications: Sequence[Mapping[str, object]], *, timeout_seconds: float = DRAWING_SECONDS
) -> list[str]:
    """Each Vega-Lite specification (`chart.to_dict()`) as the text of one SVG picture, in order.

    Drawn in a process of its own, all charts of a report in one call: the drawing library takes
    90 MB for one chart and 130 MB for a page of them, which are given back with the process. A
    chart without a width of its own, or as wide as its container, is 640 pixels wide. Text and grid
    take the reader's light or dark theme; dates and times are in UTC. Data have to stand in the
    specification: no address is read.

    Raises DrawingFailed.
    """
    if not specifications:
        return []
    for specification in specifications:
        _refuse_addresses(specification)
    told = json.dumps([_with_width(specification) for specification in specifications])
    key = "1 chart" if len(specifications) == 1 else f"{len(specifications)} charts"
    try:
        process = subprocess.run(
            [sys.executable, "-P", drawing_process.__file__],
            input=told,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_seconds,
            # Dates without a time would otherwise move to the day before, west of Greenwich.
            env={**os.environ, "TZ": "UTC"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        problem = f"It took longer than {timeout_seconds:g} seconds."
        raise DrawingFailed(_OPERATION, key, problem, _TRY_AGAIN) from None
    except OSError as error:
        problem = f"The process that draws could not be started: {error}."
        raise DrawingFailed(_OPERATION, key, problem, _TRY_AGAIN) from error
    if process.returncode < 0:
        problem = f"The process that draws was ended by signal {-process.returncode}."
        raise DrawingFailed(_OPERATION, key, problem, _TRY_AGAIN)
    if process.returncode:
        raise DrawingFailed(_OPERATION, key, _reason(process.stderr), _TRY_ANOTHER_FORMAT)
    return [_with_style(str(picture)) for picture in json.loads(process.stdout)]


def _refuse_addresses(part: object) -> None:
    """Raise DrawingFailed where data or a picture would be read from an address or a file."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name == "url":
                problem = f"Its data stand elsewhere: {value!r}."
                raise DrawingFailed(_OPERATION, "chart", problem, _TRY_ANOTHER_FORMAT)
            if name not in _ROWS:
                _refuse_addresses(value)
    elif isinstance(part, list | tuple):
        for one in part:
            _refuse_addresses(one)


def _with_width(specification: Mapping[str, object]) -> dict[str, object]:
    # Charts that are put together of several have the widths of their parts.
    single = "mark" in specification or "layer" in specification
    if single and specification.get("width", _CONTAINER) == _CONTAINER:
        return {**specification, "width": _WIDTH_PIXELS}
    return dict(specification)


def _with_style(picture: str) -> str:
    return _SVG_OPENS.sub(lambda opening: opening[0] + _STYLE, picture, count=1)


def _reason(said: str) -> str:
    """What the library says is wrong, without its heading and the places in its own code."""
    lines = [line for line in said.splitlines() if line and not line.startswith("    at ")]
    reason = (lines or ["No reason was given."])[-1][:_LONGEST_REASON]
    return reason if reason.endswith(".") else f"{reason}."
