"""The table [nba]: where games and results come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import ConfigurationError
from jobs.secret_tables import table_of, text_of

__all__ = ["SourceSettings", "source_settings"]

_SOURCE_KEYS = ("sources", "live_url", "stats_url", "folder", "timeout_seconds")
_SOURCES = ("live", "stats", "folder")


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where games and results come from.

    Attributes:
        names: out of "live", "stats" and "folder", in the order in which they are asked; empty
            switches the network off.
        live_url, stats_url: a mirror of the NBA's servers, None = the NBA's own.
        folder: saved responses, for the source "folder".
        timeout_seconds: how long a request may wait for its answer.
    """

    names: tuple[str, ...] = ()
    live_url: str | None = None
    stats_url: str | None = None
    folder: Path | None = None
    timeout_seconds: float = 20.0


def source_settings(tables: Mapping[str, Any], environment: Mapping[str, str]) -> SourceSettings:
    """Read the table, else the environment. ConfigurationError for what cannot be meant."""
    table = table_of(tables, "nba", _SOURCE_KEYS) or {}
    names = table.get("sources", environment.get("NBA_DAILY_SOURCES", "live,stats"))
    if isinstance(names, str):
        names = [] if names.strip() == "none" else names.split(",")
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(
            "read the secrets",
            "[nba] sources",
            "It is not a list of texts.",
            'Write it as sources = ["live", "stats"], or [] to fetch nothing.',
        )
    chosen = tuple(name.strip() for name in names if name.strip())
    for name in chosen:
        if name not in _SOURCES:
            raise ConfigurationError(
                "read the secrets",
                "[nba] sources",
                f"{name!r} is not a source.",
                f"Known sources: {', '.join(_SOURCES)}.",
            )
    folder = text_of(table, "nba", "folder") or environment.get("NBA_DAILY_SOURCE_DIR")
    if "folder" in chosen and not folder:
        raise ConfigurationError(
            "read the secrets",
            "[nba] folder",
            "The source folder is asked for, and there is no path.",
            "Set folder to where the saved responses are.",
        )
    return SourceSettings(
        names=chosen,
        live_url=_mirror(table, "live_url", environment.get("NBA_DAILY_LIVE_URL")),
        stats_url=_mirror(table, "stats_url", environment.get("NBA_DAILY_STATS_URL")),
        folder=Path(folder) if folder else None,
        timeout_seconds=_timeout_seconds(table, environment),
    )


def _mirror(table: Mapping[str, Any], key: str, given: str | None) -> str | None:
    url = text_of(table, "nba", key) or given or None
    if url is not None and not url.startswith(("https://", "http://")):
        raise ConfigurationError(
            "read the secrets",
            f"[nba] {key}",
            "It is not an address.",
            "Write it with https:// in front, or leave it out for the NBA's own servers.",
        )
    return url


def _timeout_seconds(table: Mapping[str, Any], environment: Mapping[str, str]) -> float:
    value = table.get("timeout_seconds", environment.get("NBA_DAILY_TIMEOUT_SECONDS", "20"))
    try:
        seconds = 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds <= 300:
        raise ConfigurationError(
            "read the secrets",
            "[nba] timeout_seconds",
            "It is not a number of seconds up to 300.",
            "Write 20, or leave it out.",
        )
    return seconds
