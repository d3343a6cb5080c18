"""The table [exports]: where the public finds what was shared, if it may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jobs.errors import ConfigurationError
from jobs.secret_tables import table_of, text_of

__all__ = ["ExportSettings", "export_settings"]


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What can be set about exports.

    Attributes:
        public_address: of a CloudFront distribution in front of the exports, without a slash at
            its end; None where there is none.
    """

    public_address: str | None = None


def export_settings(tables: Mapping[str, Any], environment: Mapping[str, str]) -> ExportSettings:
    """Read the table, else the environment. ConfigurationError for what cannot be meant."""
    table = table_of(tables, "exports", ("public_address",)) or {}
    address = text_of(table, "exports", "public_address")
    name = "[exports] public_address"
    if address is None:
        address = environment.get("NBA_DAILY_PUBLIC_ADDRESS", "").strip() or None
        name = "NBA_DAILY_PUBLIC_ADDRESS"
    if address is None:
        return ExportSettings()
    if not _is_public(address):
        raise ConfigurationError(
            "read the settings",
            name,
            "It is not the address of a distribution.",
            "Write it as https://d111111abcdef8.cloudfront.net, or leave it out.",
        )
    return ExportSettings(public_address=address.rstrip("/"))


def _is_public(address: str) -> bool:
    """An https address with a host and perhaps a path: nothing secret, nothing after it."""
    try:
        parts = urlsplit(address)
        is_whole = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    extra = parts.query or parts.fragment or parts.username is not None
    return is_whole and not extra and address.isascii() and " " not in address
