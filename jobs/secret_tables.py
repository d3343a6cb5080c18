"""Reading one table of the secrets: wrong shapes and unknown names are named, never passed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import ConfigurationError

__all__ = ["table_of", "text_of"]


def table_of(
    tables: Mapping[str, Any], name: str, known: Sequence[str]
) -> Mapping[str, Any] | None:
    """The table [name], None if there is none. ConfigurationError for an unknown setting."""
    table = tables.get(name)
    if table is None:
        return None
    if not isinstance(table, Mapping):
        raise ConfigurationError(
            "read the secrets", f"[{name}]", "It is not a table.", f"Write a line `[{name}]` first."
        )
    for key in table:
        if key not in known:
            raise ConfigurationError(
                "read the secrets",
                f"[{name}] {key}",
                "This setting is not known.",
                f"Known settings: {', '.join(known)}.",
            )
    return table


def text_of(table: Mapping[str, Any], name: str, key: str) -> str | None:
    """A setting that is a text, None if it is missing or blank. ConfigurationError otherwise."""
    value = table.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigurationError(
            "read the secrets", f"[{name}] {key}", "It is not text.", "Put it between quotes."
        )
    return value.strip() or None
