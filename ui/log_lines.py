"""When a slate and each of its games was logged, whether that is saved, and whether it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from nba.slate import GameProjection
from prediction_tracking import Origin, Run
from ui.formats import moment

__all__ = ["game_line", "slate_line"]


def slate_line(
    run: Run, games: Sequence[GameProjection], counting: Mapping[str, str], zone: ZoneInfo
) -> str:
    """Logged 20 Nov 2026, 1:02 PM EST (automatic) · saved as #2 · before every tip-off.

    `counting` has the id of the run that counts by game id, as the log gives it.
    """
    kind = "revision" if run.revision else "automatic"
    if run.origin.value == Origin.REPLAY.value:
        return f"Logged as a replay {moment(run.logged_at, zone)} · {_saved(run)}"
    line = f"Logged {moment(run.logged_at, zone)} ({kind}) · {_saved(run)}"
    if run.stored_at is None:
        return line
    counted = [counting.get(forecast.game.game_id) for forecast in games]
    in_time = counted.count(run.run_id)
    if in_time == len(games):
        return f"{line} · before every tip-off"
    line += f" · in time for {in_time} of {len(games)} games"
    earlier = len(games) - in_time - counted.count(None)
    if earlier:
        return f"{line}, for {earlier} an earlier one counts"
    return f"{line}, {'the others do not count' if in_time else 'so it does not count'}"


def game_line(
    forecast: GameProjection,
    runs: Sequence[Run],
    counting: Mapping[str, str],
    games: int,
    zone: ZoneInfo,
) -> str:
    """Logged at … · saved as #2 · before tip-off; "" if no run is sure to hold this game.

    `runs` are the slate's, newest first, and `games` is how many games the slate has. `counting`
    has the id of the run that counts by game id, as the log gives it: a tip-off that was moved
    since is not enough to know it by.
    """
    counts = counting.get(forecast.game.game_id)
    for run in runs:
        if run.run_id == counts:
            return f"Logged {moment(run.logged_at, zone)} · {_saved(run)} · before tip-off"
    whole = [run for run in runs if run.games >= games]
    if not whole:
        return ""
    run, tipoff = whole[0], forecast.game.tipoff_utc
    if run.origin.value == Origin.REPLAY.value:
        return f"Replay logged {moment(run.logged_at, zone)} · {_saved(run)}"
    line = f"Logged {moment(run.logged_at, zone)} · {_saved(run)}"
    if run.stored_at is None or tipoff is None:
        return line
    if run.stored_at < tipoff:
        return f"{line} · after the tip-off as planned then, so it does not count"
    return f"{line} · after tip-off"


def _saved(run: Run) -> str:
    if run.pending:
        return "not saved yet"
    # What came from an earlier log has no number in this one.
    return f"saved as #{run.sequence}" if run.sequence else "saved"
