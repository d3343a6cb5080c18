"""A player's season as what can be shared: his games, or a report with their chart."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from exports.draft import Draft, Format, Progress, View
from exports.report import Report
from jobs.player import Person
from nba.seasons import slate_date_of
from nba.stats import Market
from ui.formats import full_date, percent
from ui.frame import Frame
from ui.player_charts import (
    distribution_alt,
    distribution_chart,
    distribution_frame,
    season_alt,
    season_chart,
    season_frame,
)
from ui.player_next import NextGame
from ui.player_seasons import ShownSeason
from ui.player_tables import game_log, log_frame, splits_table
from ui.share import share_box
from ui.shared_files import Part, Picture, facts, table_of, write_report, write_rows
from ui.tables import MARKET_LABELS, UNITS

__all__ = ["share_player"]

_FORMATS: Final = (Format.HTML, Format.CSV, Format.PARQUET)


def share_player(
    frame: Frame, person: Person, market: Market, season: ShownSeason, coming: NextGame | None
) -> None:
    """The owner's box below a player: the season that is shown, and his next game if projected."""
    draft = partial(_draft, frame, person, market, season, coming)
    share_box(frame, View.PLAYER, _FORMATS, draft)


def _draft(
    frame: Frame,
    person: Person,
    market: Market,
    season: ShownSeason,
    coming: NextGame | None,
    chosen: Format,
) -> Draft:
    is_replay = season.projections == "Replay"
    title = f"{person.name}, {season.season}"
    if is_replay:
        title += ", replays"
    stem = f"nba-daily-{person.player_id}-{season.season}{'-replays' if is_replay else ''}"
    name = f"{stem}.{chosen}"

    def write(folder: Path, progress: Progress) -> int:
        if chosen != Format.HTML:
            return write_rows(log_frame(season.rows), chosen, folder / name, progress)
        report = Report(
            title=title,
            made_at=frame.application.clock(),
            shows=facts(
                [
                    ("Team", person.team),
                    ("Position", person.position),
                    ("Season", season.season),
                    ("Projections", season.projections),
                    ("Stat", UNITS[market]),
                ]
            ),
            facts=facts(_figures(season, market)),
        )
        parts = [] if coming is None else [_next_game(person, coming, market)]
        parts += [_games(person, season, market), *_tables(frame, season, market)]
        return write_report(report, parts, folder / name, progress)

    return Draft(View.PLAYER, title, chosen, name, write)


def _figures(season: ShownSeason, market: Market) -> list[tuple[str, str]]:
    played = season.rows[market].dropna()
    if played.empty:
        return []
    return [
        ("Games played", f"{len(played)}"),
        (f"Average {MARKET_LABELS[market]}", f"{played.mean():.1f}"),
    ]


def _next_game(person: Person, coming: NextGame, market: Market) -> Part:
    game, band, unit = coming.game, coming.player.bands[market], UNITS[market]
    drawn = distribution_frame(band.distribution, coming.line)
    over = band.distribution.over(coming.line)
    text = (
        f"{full_date(game.slate_date)} (US Eastern). Projected {band.mean:.1f} {unit}, range "
        f"{band.floor:.0f}–{band.ceiling:.0f}; more than {coming.line:g} has a chance of "
        f"{percent(over)}."
    )
    picture = Picture(
        distribution_chart(drawn, coming.line, unit),
        distribution_alt(drawn, person.name, coming.line, over, unit),
    )
    return Part(f"Next game: {game.away_team} @ {game.home_team}", text, pictures=(picture,))


def _games(person: Person, season: ShownSeason, market: Market) -> Part:
    unit, drawn = UNITS[market], season_frame(season.rows, market)
    told = {
        "Live": "The projections are live: logged for the evening itself.",
        "Replay": "The projections are replays: past dates, played as if live. They are in no "
        "track record.",
    }[season.projections]
    picture = Picture(
        season_chart(drawn, unit), season_alt(drawn, person.name, season.season, unit)
    )
    return Part(
        f"Game by game, {unit}",
        "Bar: the projected range, floor to ceiling. Line across it: the projected mean. Mark: "
        f"what he did, hollow where nothing was projected. {told}",
        pictures=(picture,),
    )


def _tables(frame: Frame, season: ShownSeason, market: Market) -> list[Part]:
    today = slate_date_of(frame.application.clock())
    splits = splits_table(season.rows, season.career, season.opponent, today).reset_index()
    log = game_log(season.rows, market, today)
    whole = dict.fromkeys(MARKET_LABELS.values(), 0)
    parts = []
    if len(splits):
        words = "Averages a game, playoffs included. Rest: days without a game before it."
        parts.append(Part("Splits", words, tables=(table_of(splits, "Splits of the season"),)))
    words = (
        "Newest first; dates are US Eastern. Range: 10th to 90th percentile; DNP: did not play. "
        "Counts: in the store before the tip-off, or the last replay. Saved: the log entry that "
        "first held it."
    )
    table = table_of(log, "Game log", places=whole)
    return [*parts, Part("Game log", words, tables=(table,))]
