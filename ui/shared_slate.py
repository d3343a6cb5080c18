"""A slate as what can be shared: one row a player, or a report of its games and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from exports.draft import Draft, Format, Progress, View
from exports.report import Report
from jobs.outcome import Outcome
from nba.slate import SlateProjection
from nba.slate_csv import slate_frame
from nba.stats import MARKETS, Market
from ui.formats import full_date, short_date
from ui.frame import Frame
from ui.range_chart import MOST_BARS, range_chart, range_words, ranges_table
from ui.share import share_box
from ui.shared_files import Part, Picture, facts, table_of, write_report, write_rows
from ui.tables import UNITS, games_table, players_table, sorted_players

__all__ = ["share_slate"]

_FORMATS: Final = (Format.HTML, Format.CSV, Format.PARQUET)
_REPLAY: Final = "Replay"
_TOLD: Final[Mapping[str, str]] = {
    _REPLAY: "A past date, computed from what was known before it. It was not said that evening "
    "and is in no track record.",
    "Played": "Computed anew from what was known before this date. What was logged that day, and "
    "counts, is in the history.",
}
"""What has to be said of a slate of each kind; the others need no word."""


def share_slate(
    frame: Frame, projection: SlateProjection, outcome: Outcome, *, kind: str, logged: str
) -> None:
    """The owner's box below a slate; `kind` and `logged` are what the page says of the slate."""
    draft = partial(_draft, frame, projection, outcome, kind, logged)
    share_box(frame, View.SLATE, _FORMATS, draft)


def _draft(
    frame: Frame,
    projection: SlateProjection,
    outcome: Outcome,
    kind: str,
    logged: str,
    chosen: Format,
) -> Draft:
    day, as_of = projection.slate_date, projection.data_as_of
    # Whoever reads a replay must not take it for what was said that evening.
    what = "Replay of" if kind == _REPLAY else "Projections for"
    title = f"{what} {short_date(day)}"
    stem = "nba-daily-replay" if kind == _REPLAY else "nba-daily"
    name = f"{stem}-{day.isoformat()}.{chosen}"

    def write(folder: Path, progress: Progress) -> int:
        if chosen != Format.HTML:
            return write_rows(slate_frame(projection), chosen, folder / name, progress)
        report = Report(
            title=title,
            made_at=frame.application.clock(),
            shows=facts(
                [
                    ("Date", f"{full_date(day)} (US Eastern)"),
                    ("Kind", kind if kind in _TOLD else ""),
                    ("Logged", logged),
                    ("Data as of", "" if as_of is None else short_date(as_of)),
                    ("Model version", projection.model_version),
                ]
            ),
            facts=facts(
                [
                    ("Games", f"{len(projection.games)}"),
                    ("Players", f"{len(projection.players)}"),
                ]
            ),
        )
        return write_report(
            report, _parts(frame, projection, outcome, kind), folder / name, progress
        )

    return Draft(View.SLATE, title, chosen, name, write)


def _parts(
    frame: Frame, projection: SlateProjection, outcome: Outcome, kind: str
) -> tuple[Part, ...]:
    games = table_of(games_table(projection, frame.zone, outcome.scores), "Games")
    told = _TOLD.get(kind, "")
    words = (
        "Chances to win, the expected score and the expected margin. Elo is the home team's chance "
        "by plain Elo ratings, which know results only."
    )
    return (
        Part("Games", f"{told}\n\n{words}".strip(), tables=(games,)),
        *(_ranges(projection, outcome, market) for market in MARKETS),
        _players(projection, outcome),
    )


def _ranges(projection: SlateProjection, outcome: Outcome, market: Market) -> Part:
    players = sorted_players(projection.players, market)
    ranges = ranges_table(players[:MOST_BARS], market, outcome.actuals)
    unit = UNITS[market]
    text = "Bar: from floor to ceiling, the 10th to the 90th percentile. Line on it: the mean."
    if ranges["Actual"].notna().any():
        text += " Dot: what happened."
    if len(players) > MOST_BARS:
        text += f" The {MOST_BARS} highest of {len(players)} players; the table below has all."
    picture = Picture(range_chart(ranges, market), range_words(ranges, market))
    return Part(f"{unit[:1].upper()}{unit[1:]}", text, pictures=(picture,))


def _players(projection: SlateProjection, outcome: Outcome) -> Part:
    players = players_table(list(projection.players), outcome.actuals)
    whole = {name: 0 for name in players.columns if str(name).endswith(" actual")}
    return Part(
        "Players",
        "PTS points, REB rebounds, AST assists, 3PM threes made, MIN minutes, PRA points + "
        "rebounds + assists: the expected value. Range: 10th to 90th percentile, so about four "
        "games of five should fall within.",
        tables=(table_of(players, "Players, most points first", places=whole),),
    )
