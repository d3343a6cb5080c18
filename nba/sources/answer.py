"""What counts as an answer: the text of a JSON object, whatever is in it."""

from __future__ import annotations

import json

__all__ = ["problem_of"]

_LONGEST_SHOWN = 60


def problem_of(body: bytes) -> str | None:
    """Why `body` is no answer, in words; None if it is one.

    What is in the object is not looked at here: a changed shape is kept, and judged later.
    """
    try:
        content = json.loads(body)
    except ValueError:
        if not body.strip():
            return "it answered with nothing"
        if body.lstrip().startswith(b"<"):
            return "it answered with a web page instead of data"
        return "what it answered is no JSON"
    except RecursionError:
        return "what it answered is nested too deep"
    if not isinstance(content, dict):
        return "it answered with JSON of another kind"
    if content.keys() == {"Message"}:
        # A fault of the stats server, with status 200.
        return f"it answered {str(content['Message'])[:_LONGEST_SHOWN].rstrip('. ')!r}"
    return None
