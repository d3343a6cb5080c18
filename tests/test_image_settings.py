"""The table [images]: off unless hosts are chosen, and nothing half or strange is let through."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from jobs.configuration import CHECKOUT, read_settings
from jobs.errors import ConfigurationError
from jobs.image_settings import ImageSettings, image_settings

PLAYER = "https://cdn.example.com/players/{player_id}.png"
TEAM = "https://marks.example.com/{team}/{team_id}.png"
WHOLE: dict[str, Any] = {
    "hosts": ["cdn.example.com", "marks.example.com"],
    "player_address": PLAYER,
    "team_address": TEAM,
}


def test_off_by_default() -> None:
    assert read_settings({}, {}, []).images == ImageSettings()
    assert image_settings({"images": {"player_address": PLAYER}}, {}) == ImageSettings()
    assert image_settings({"images": {**WHOLE, "hosts": []}}, {}) == ImageSettings()
    assert ImageSettings().address_of_player(1) is None
    assert ImageSettings().address_of_team(1, "BOS") is None


def test_chosen_hosts_and_addresses() -> None:
    images = read_settings({"images": WHOLE}, {}, []).images
    assert images.hosts == ("cdn.example.com", "marks.example.com")
    assert images.address_of_player(2544) == "https://cdn.example.com/players/2544.png"
    assert images.address_of_team(7, "BOS") == "https://marks.example.com/bos/7.png"
    assert images.address_of_team(7, "../?") == "https://marks.example.com/..%2F%3F/7.png"


def test_the_environment_says_the_same() -> None:
    environment = {
        "NBA_DAILY_IMAGE_HOSTS": " CDN.example.com, marks.example.com",
        "NBA_DAILY_PLAYER_IMAGE": PLAYER,
        "NBA_DAILY_TEAM_IMAGE": TEAM,
    }
    assert image_settings({}, environment) == image_settings({"images": WHOLE}, {})
    assert image_settings({"images": {"hosts": []}}, environment) == ImageSettings()


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"hosts": ["127.0.0.1"]}, "hosts"),
        ({"hosts": ["2130706433"]}, "hosts"),
        ({"hosts": ["[::1]"]}, "hosts"),
        ({"hosts": ["localhost"]}, "hosts"),
        ({"hosts": ["metadata.google.internal"]}, "hosts"),
        ({"hosts": ["https://cdn.example.com"]}, "hosts"),
        ({"hosts": ["*.example.com"]}, "hosts"),
        ({"hosts": [1]}, "hosts"),
        ({"hosts": 1}, "hosts"),
        ({"host": ["cdn.example.com"]}, "host"),
        ({"player_address": None, "team_address": " "}, "player_address"),
        ({"player_address": "https://cdn.example.com/one.png"}, "player_address"),
        ({"player_address": "https://cdn.example.com/{team_id}.png"}, "player_address"),
        ({"player_address": "https://cdn.example.com/{player_id}{x"}, "player_address"),
        ({"player_address": "https://cdn.example.com/{player_id.__class__}"}, "player_address"),
        ({"player_address": "http://cdn.example.com/{player_id}.png"}, "player_address"),
        ({"player_address": "https://evil.com/{player_id}.png"}, "player_address"),
        ({"player_address": "https://cdn.example.com:8443/{player_id}.png"}, "player_address"),
        ({"player_address": "https://a@cdn.example.com/{player_id}.png"}, "player_address"),
        ({"player_address": 7}, "player_address"),
        ({"team_address": "https://evil.com/{team}.png"}, "team_address"),
    ],
)
def test_what_cannot_be_meant(changed: dict[str, Any], setting: str) -> None:
    table = {key: value for key, value in {**WHOLE, **changed}.items() if value is not None}
    found = read_settings({"images": table}, {}, []).store
    assert isinstance(found, ConfigurationError)
    assert found.key.startswith(f"[images] {setting}")
    assert found.remedy.endswith(".")


def test_the_example_is_one_that_works() -> None:
    text = (CHECKOUT / ".streamlit" / "secrets.example.toml").read_text(encoding="utf-8")
    assert image_settings(tomllib.loads(text), {}) == ImageSettings()
    table = text[text.index("[images]") :].split("\n\n")[0].replace("\nhosts = []", "")
    lines = [line.removeprefix("# ") for line in table.splitlines()]
    wanted = [line for line in lines if line.startswith(("[images]", "hosts", "player_"))]
    images = image_settings(tomllib.loads("\n".join(wanted)), {})
    assert images.hosts == ("cdn.nba.com",)
    assert images.address_of_player(2544) == (
        "https://cdn.nba.com/headshots/nba/latest/260x190/2544.png"
    )
