"""Player: what is projected for one player, and every earlier projection beside what he did."""

from __future__ import annotations

from ui.frame import open_page
from ui.player_view import show_player

show_player(open_page("Player"))
