"""Whether the state says what the responses say: silver built anew beside what was learned."""

from __future__ import annotations

from collections.abc import Iterator

from nba.silver import Silver
from tracking.learning import SILVER_SOURCES, Ask, lessons_of

__all__ = ["differences"]

_SHOWN = 20


def differences(state: Ask, reference: Ask | None, silver: Silver) -> list[str]:
    """What the two have otherwise, in sentences, at most twenty of each direction.

    What a person recorded is no difference.
    """
    found = [*_unlearned(state, reference, silver)][:_SHOWN]
    return found + [*_unsaid(state, silver)][:_SHOWN]


def _unlearned(state: Ask, reference: Ask | None, silver: Silver) -> Iterator[str]:
    lessons = lessons_of(state, reference, silver, is_all=True)
    for game_id, *_ in lessons.games:
        yield f"Game {game_id} has another final score, or none."
    for game_id, player_id, *_ in lessons.player_games:
        yield f"Game {game_id} has other figures of player {player_id}, or none."
    for game_id, *_ in lessons.scheduled:
        yield f"Game {game_id} is scheduled otherwise."
    for player_id, known_on, *_ in lessons.rosters:
        yield f"Player {player_id} is on another roster since {known_on}."
    for player_id, _ in lessons.players:
        yield f"Player {player_id} has no name."
    for sha256, place, *_ in lessons.problems:
        yield f"The response {sha256[:12]} is not in quarantine ({place or 'all of it'})."


def _unsaid(state: Ask, silver: Silver) -> Iterator[str]:
    sources = ", ".join(f"'{source}'" for source in SILVER_SOURCES)
    games = {game.game_id for game in silver.games}
    for (game_id,) in state(f"SELECT game_id FROM main.games WHERE source IN ({sources})", ()):
        if game_id not in games:
            yield f"No response gives the final score of game {game_id}."
    rows = {(row.game_id, row.player_id) for row in silver.player_games}
    for game_id, player_id in state(
        f"SELECT game_id, player_id FROM main.player_games WHERE source IN ({sources})", ()
    ):
        if (game_id, player_id) not in rows:
            yield f"No response gives the figures of player {player_id} in game {game_id}."
    scheduled = {entry.game_id for entry in silver.schedule}
    for (game_id,) in state("SELECT game_id FROM main.scheduled_games", ()):
        if game_id not in scheduled:
            yield f"No response schedules game {game_id}."
    listed = {(entry.player_id, entry.known_on.isoformat()) for entry in silver.rosters}
    for player_id, known_on in state("SELECT player_id, known_on FROM main.rosters", ()):
        if (player_id, known_on) not in listed:
            yield f"No response lists player {player_id} on {known_on}."
