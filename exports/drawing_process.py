"""The process that draws: specifications come in as JSON, the pictures go out as JSON.

Started by `exports.drawing` with its file name, so it imports nothing of the app.
"""

from __future__ import annotations

import json
import sys
from typing import Final

__all__: list[str] = []

# The ink is the reader's own: see the style that `exports.drawing` puts into each picture.
_INK: Final = "currentColor"
_FONT_PIXELS: Final = 12
_LINE: Final = "#808792"
_LINE_OPACITY: Final = 0.35
_CONFIG: Final = {
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": _FONT_PIXELS,
        "titleFontSize": _FONT_PIXELS,
        "gridColor": _LINE,
        "gridOpacity": _LINE_OPACITY,
        "domainColor": _LINE,
        "tickColor": _LINE,
    },
    "legend": {"labelColor": _INK, "titleColor": _INK},
    "header": {"labelColor": _INK, "titleColor": _INK},
    "title": {"color": _INK, "subtitleColor": _INK},
    "text": {"color": _INK},
    "rule": {"color": _INK},
    "tick": {"color": _INK},
}


def _drawn(specifications: list[dict[str, object]]) -> list[str]:
    # Only this process pays for the library.
    import vl_convert

    return [
        vl_convert.vegalite_to_svg(one, config=_CONFIG, allowed_base_urls=[])
        for one in specifications
    ]


def _main() -> int:
    try:
        pictures = _drawn(json.load(sys.stdin))
    except ValueError as error:
        # What the library says of a specification; its first line is its heading.
        sys.stderr.write(str(error))
        return 1
    json.dump(pictures, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
