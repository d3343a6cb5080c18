"""Figures as plain text tables, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from nba.seasons import EASTERN
from nba.slate import GameProjection, PlayerProjection, SlateProjection
from nba.stats import STATS, Stat
from prediction_tracking import Accuracy, WinAccuracy

__all__ = ["accuracy_facts", "accuracy_lines", "projection_lines"]

_LABELS: Mapping[Stat, str] = {
    "points": "PTS",
    "rebounds": "REB",
    "assists": "AST",
    "threes": "3PM",
    "minutes": "MIN",
}
_NOTHING = "–"


def projection_lines(projection: SlateProjection) -> list[str]:
    """Each game with its win probability, then its players, most minutes first."""
    day = projection.slate_date
    lines = [f"{day:%A, %B} {day.day}, {day.year}, projected by {projection.model_version}"]
    if projection.data_as_of is None:
        lines.append("There are no box scores to go by.")
    else:
        lines.append(f"Box scores up to {projection.data_as_of.isoformat()}.")
    if not projection.games:
        lines.append("There is no game to project on this date.")
    for forecast in projection.games:
        lines += ["", _game_line(forecast), *_player_lines(projection, forecast.game.game_id)]
    if projection.undecided_games:
        lines += ["", f"{projection.undecided_games} more without teams yet."]
    if any(player.from_prior for player in projection.players):
        lines += ["", "* fewer than ten NBA games: blended with his position's average"]
    return lines


def accuracy_lines(accuracy: Accuracy) -> list[str]:
    """The record: each stat's error with n, and each baseline's on the same rows beside it."""
    if accuracy.first_date is None or accuracy.last_date is None:
        return ["No logged prediction has a result yet."]
    span = f"{accuracy.first_date.isoformat()} to {accuracy.last_date.isoformat()}"
    rows = [["stat", "n", "error", "bias", "in band", "baseline", "n", "its error", "ours there"]]
    for stat in STATS:
        figures = accuracy.stats[stat]
        own = [
            stat,
            f"{figures.n:,}",
            _number(figures.mae),
            _number(figures.bias, sign=True),
            _percent(figures.coverage_80),
        ]
        rows += _beside(
            own,
            [
                [one.name, f"{one.n:,}", _number(one.mae), _number(one.model_mae)]
                for one in figures.baselines
            ],
        )
    return [
        f"Track record ({accuracy.origin.value}), slates from {span}.",
        "Errors are mean absolute, in the stat's unit; the band is meant to hold 80%, and at least",
        "80% of rebounds, assists and threes, where whole numbers at its ends count as inside.",
        "",
        *_aligned(rows),
        "",
        *_aligned(_win_rows(accuracy.wins)),
    ]


def accuracy_facts(accuracy: Accuracy) -> dict[str, object]:
    """The same for other programs; null where there is no row."""
    return {
        "origin": accuracy.origin.value,
        "first_date": accuracy.first_date and accuracy.first_date.isoformat(),
        "last_date": accuracy.last_date and accuracy.last_date.isoformat(),
        "stats": {
            stat: {
                "n": figures.n,
                "mae": figures.mae,
                "bias": figures.bias,
                "n_bands": figures.n_bands,
                "coverage_80": figures.coverage_80,
                "baselines": {
                    one.name: {"n": one.n, "mae": one.mae, "model_mae": one.model_mae}
                    for one in figures.baselines
                },
            }
            for stat, figures in accuracy.stats.items()
        },
        "wins": {
            "n": accuracy.wins.n,
            "brier": accuracy.wins.brier,
            "log_loss": accuracy.wins.log_loss,
            "accuracy": accuracy.wins.accuracy,
            "baselines": {
                one.name: {
                    "n": one.n,
                    "brier": one.brier,
                    "log_loss": one.log_loss,
                    "accuracy": one.accuracy,
                    "model_brier": one.model_brier,
                    "model_log_loss": one.model_log_loss,
                }
                for one in accuracy.wins.baselines
            },
        },
    }


def _win_rows(wins: WinAccuracy) -> list[list[str]]:
    header = ["games", "n", "Brier", "log loss", "right", "baseline", "n", "its Brier"]
    own = [
        "home wins",
        f"{wins.n:,}",
        _number(wins.brier, digits=4),
        _number(wins.log_loss, digits=4),
        _percent(wins.accuracy),
    ]
    others = [
        [
            one.name,
            f"{one.n:,}",
            _number(one.brier, digits=4),
            _number(one.model_brier, digits=4),
        ]
        for one in wins.baselines
    ]
    return [[*header, "ours there"], *_beside(own, others)]


def _game_line(forecast: GameProjection) -> str:
    game, home = forecast.game, forecast.home_win_probability
    where = "vs" if game.is_neutral else "at"
    line = f"{game.away_team} {1 - home:.0%} {where} {game.home_team} {home:.0%}"
    return line if game.tipoff_utc is None else f"{line}, {_eastern(game.tipoff_utc)}"


def _eastern(moment: datetime) -> str:
    local = moment.astimezone(EASTERN)
    return f"{local.hour % 12 or 12}:{local:%M %p} ET"


def _player_lines(projection: SlateProjection, game_id: str) -> Iterator[str]:
    players = [player for player in projection.players if player.game_id == game_id]
    header = ["player", "team", *(_LABELS[stat] for stat in STATS)]
    rows = [[_name(player), player.team, *_means(player)] for player in players]
    yield from (f"  {line}" for line in _aligned([header, *rows], left=2))


def _name(player: PlayerProjection) -> str:
    listed = "" if player.availability is None else f" ({player.availability.value})"
    return f"{player.player_name}{'*' if player.from_prior else ''}{listed}"


def _means(player: PlayerProjection) -> list[str]:
    return [f"{player.bands[stat].mean:.1f}" for stat in STATS]


def _beside(own: list[str], others: Sequence[list[str]]) -> list[list[str]]:
    """The first baseline in the row of the figures themselves, the others below it."""
    blank = [""] * len(own)
    if not others:
        return [[*own, _NOTHING, "", "", ""]]
    return [[*(blank if row else own), *other] for row, other in enumerate(others)]


def _aligned(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Columns of one width; the first `left` of them start at the left, the others end right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _number(value: float | None, *, digits: int = 2, sign: bool = False) -> str:
    if value is None:
        return _NOTHING
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.0%}"
