"""The table [images]: from which hosts pictures of players and teams come, if from any."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from images.addresses import is_host_name, parse_address
from images.errors import AddressRefused
from jobs.errors import ConfigurationError
from jobs.secret_tables import table_of, text_of

__all__ = ["ImageSettings", "image_settings"]

_KEYS: Final = ("hosts", "player_address", "team_address")
# Which words in braces an address may have; it needs at least one of them.
_PLACES: Final = {"player_address": ("player_id",), "team_address": ("team_id", "team")}
_EXAMPLES: Final = {
    "player_address": "https://cdn.example.com/players/{player_id}.png",
    "team_address": "https://cdn.example.com/teams/{team_id}.png",
}
_ENVIRONMENT: Final = {
    "hosts": "NBA_DAILY_IMAGE_HOSTS",
    "player_address": "NBA_DAILY_PLAYER_IMAGE",
    "team_address": "NBA_DAILY_TEAM_IMAGE",
}
_PLACE: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """Where pictures come from.

    Attributes:
        hosts: names of hosts, the only ones that are asked; empty: no pictures, drawn badges.
        player_address: an address with {player_id} in it, None: no pictures of players.
        team_address: one with {team_id} or {team} (such as bos) in it, None: no marks of teams.
    """

    hosts: tuple[str, ...] = ()
    player_address: str | None = None
    team_address: str | None = None

    def address_of_player(self, player_id: int) -> str | None:
        """Where a player's picture is; None without pictures of players."""
        if self.player_address is None:
            return None
        return self.player_address.replace("{player_id}", str(player_id))

    def address_of_team(self, team_id: int, team: str) -> str | None:
        """Where a team's mark is; `team` is its abbreviation. None without marks of teams."""
        if self.team_address is None:
            return None
        named = self.team_address.replace("{team}", quote(team.lower(), safe=""))
        return named.replace("{team_id}", str(team_id))


def image_settings(tables: Mapping[str, Any], environment: Mapping[str, str]) -> ImageSettings:
    """Read the table, else the environment. ConfigurationError for what cannot be meant."""
    table = table_of(tables, "images", _KEYS) or {}
    hosts = _hosts(table.get("hosts", environment.get(_ENVIRONMENT["hosts"], "")))
    addresses = {
        key: text_of(table, "images", key) or environment.get(_ENVIRONMENT[key], "").strip() or None
        for key in _PLACES
    }
    if not hosts:
        # Addresses alone fetch nothing: no host was chosen.
        return ImageSettings()
    for key, address in addresses.items():
        if address is not None:
            _require_address(key, address, hosts)
    if not any(addresses.values()):
        raise _wrong(
            "player_address",
            "There are hosts, and neither an address for players nor one for teams.",
            f'Write player_address = "{_EXAMPLES["player_address"]}", or hosts = [] to show none.',
        )
    return ImageSettings(hosts, addresses["player_address"], addresses["team_address"])


def _hosts(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise _wrong(
            "hosts", "It is not a list of texts.", 'Write it as hosts = ["cdn.example.com"].'
        )
    chosen = tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    for name in chosen:
        if not is_host_name(name):
            raise _wrong(
                "hosts",
                f"{name!a} is not the name of a public host.",
                "Write names such as cdn.example.com: no address in numbers, no port, no https://.",
            )
    return chosen


def _require_address(key: str, address: str, hosts: Sequence[str]) -> None:
    found = _PLACE.findall(address)
    rest = _PLACE.sub("1", address)
    if not found or any(one not in _PLACES[key] for one in found) or {"{", "}"} & set(rest):
        wanted = " or ".join(f"{{{one}}}" for one in _PLACES[key])
        raise _wrong(
            key,
            f"Nothing in it stands for one {key.removesuffix('_address')}, or something unknown.",
            f'Put {wanted} where the number belongs: {key} = "{_EXAMPLES[key]}".',
        )
    try:
        parse_address(rest, hosts)
    except AddressRefused as error:
        raise _wrong(
            key, error.problem, f'Write it as {key} = "{_EXAMPLES[key]}", with one of the hosts.'
        ) from error


def _wrong(key: str, problem: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("read the secrets", f"[images] {key}", problem, remedy)
