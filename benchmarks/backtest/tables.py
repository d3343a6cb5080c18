"""Figures as tables in Markdown, aligned so that they can be read on a terminal as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from nba.evaluation import AVERAGES
from nba.stats import MARKETS

__all__ = ["season_text", "together_text"]

Figures = dict[str, Any]

_NONE: Final = "–"
_OVER_ALL: Final = ("log_loss", "elo_log_loss")
_ROWS: Final = (
    "Regular season, each game projected from the games of earlier dates, by a model trained on"
    " seasons before. Rows: whoever played and had ten earlier games. The closing line is the"
    " probability that the closing spread implies, that of the moneylines where it is missing."
)


def season_text(figures: Figures) -> str:
    """All tables of one season."""
    parts = [
        f"# Backtest of {figures['season']} with {figures['model']}",
        _ROWS,
        _notes(figures["notes"]),
        _errors(figures["markets"]),
        _bands(figures["markets"]),
        _groups(figures["markets"]["points"], "points"),
        _newcomers(figures["markets"]),
        _lines(figures["markets"]),
        _wins(figures["wins"]),
        _reliability(figures["wins"]),
        _shown(figures["shown"]),
        _out(figures["who_is_out"]),
    ]
    return "\n\n".join(part for part in parts if part)


def together_text(figures: Figures) -> str:
    """The tables of several seasons put together."""
    parts = [
        f"# Backtest of {', '.join(figures['seasons'])} together",
        _notes(figures["notes"]),
        _goals(figures["goals"]),
        _errors(figures["markets"]),
        _bands(figures["markets"]),
        _groups(figures["markets"]["points"], "points"),
        _lines(figures["markets"]),
        _by_season(figures["wins_by_season"]),
        _averages(figures["wins_averages"]),
        _wins(figures["wins"]),
        _reliability(figures["wins"]),
    ]
    return "\n\n".join(part for part in parts if part)


def _notes(notes: Sequence[str]) -> str:
    return "\n".join(f"- {note}" for note in notes)


def _goals(goals: Sequence[Figures]) -> str:
    if not goals:
        return ""
    rows = [
        [
            *(one["goal"], _seasons(one["seasons"]), _count(one["n"])),
            *(_signed(one["found"], 4), _interval(one, 4), one["wanted"]),
            "yes" if one["holds"] else "no",
        ]
        for one in goals
    ]
    header = ["goal", "seasons", "n", "found", "95% interval", "wanted", "reached"]
    return _table("What was to be reached", header, rows)


def _seasons(seasons: Sequence[str]) -> str:
    return seasons[0] if len(seasons) == 1 else f"{seasons[0]} to {seasons[-1]}"


def _errors(markets: Figures) -> str:
    header = ["market", "n", "MAE", *AVERAGES, "MAE beside ewma_8"]
    header += ["best average", "MAE beside it", "95% interval"]
    rows = []
    for market in MARKETS:
        one = markets[market]
        best = one["best_average"]
        beside = one["differences"][best] if best else {}
        rows.append(
            [
                *(market, _count(one["n"]), _number(one["mae"])),
                *(_number(one["baselines"][name]) for name in AVERAGES),
                _share(one["mae"], one["baselines"]["ewma_8"]),
                *(best or _NONE, _signed(beside.get("difference")), _interval(beside)),
            ]
        )
    return _table(
        "Absolute error of the median, and of simple averages on the same rows", header, rows
    )


def _bands(markets: Figures) -> str:
    header = ["market", "n", "RMSE", "bias of mean", "of median", "in band", "pinball 10 + 90"]
    header += ["negative binomial", "beside it", "95% interval", "its dispersion"]
    rows = []
    for market in MARKETS:
        one = markets[market]
        rival = one["negative_binomial"] or {}
        rows.append(
            [
                *(market, _count(one["n"]), _number(one["rmse"]), _signed(one["bias"])),
                *(_signed(one["median_bias"]), _percent(one["coverage_80"])),
                *(_number(one["pinball"]), _number(rival.get("pinball"))),
                *(_signed(rival.get("difference"), 4), _interval(rival, 4)),
                _number(rival.get("dispersion"), 2),
            ]
        )
    return _table("Mean and band", header, rows)


def _groups(market: Figures, name: str) -> str:
    rows = [
        [
            group,
            _count(one["n"]),
            _number(one["mae"]),
            _signed(one["bias"]),
            _percent(one["coverage_80"]),
        ]
        for group, one in market["groups"].items()
    ]
    header = ["group (minutes: projected)", "n", "MAE", "bias of mean", "in band"]
    return _table(f"Groups, {name}", header, rows)


def _newcomers(markets: Figures) -> str:
    rows = []
    for market in MARKETS:
        one = markets[market]["newcomers"]
        rows.append(
            [
                *(market, _count(one["n"]), _number(one["mae"])),
                *(_signed(one["bias"]), _percent(one["coverage_80"])),
            ]
        )
    header = ["market", "n", "MAE", "bias of mean", "in band"]
    return _table("Players with fewer than ten earlier games", header, rows)


def _lines(markets: Figures) -> str:
    header = ["market", "n", "MAE", "line", "EWMA 12", "gap closed", "beside line", "95% interval"]
    header += ["sides won", "share", "95% interval", "sides won, over 1 apart", "share"]
    rows = []
    for market in MARKETS:
        one = markets[market]["line_rows"]
        if one["n"] == 0:
            continue
        record, apart = one["record"], one["record_apart"]
        rows.append(
            [
                *(market, _count(one["n"]), _number(one["mae"]), _number(one["line_mae"])),
                *(_number(one["ewma_12_mae"]), _percent(one["gap_closed"])),
                *(_signed(one["beside_line"]["difference"]), _interval(one["beside_line"])),
                *(f"{record['wins']:,} of {record['n']:,}", _percent(record["share"])),
                _percents(record),
                *(f"{apart['wins']:,} of {apart['n']:,}", _percent(apart["share"])),
            ]
        )
    if not rows:
        return ""
    return _table("Rows with a market line. An edge on paper is no advice to bet", header, rows)


def _wins(wins: Figures) -> str:
    header = ["home win", "n", "log loss", "Brier", "accuracy", "model's log loss", "beside it"]
    header.append("95% interval")
    rows = [
        [
            *("model", _count(wins["n"]), _number(wins["log_loss"], 4), _number(wins["brier"], 4)),
            *(_percent(wins["accuracy"]), _NONE, _NONE, _NONE),
        ]
    ]
    for name, one in wins["beside"].items():
        rows.append(
            [
                *(name, _count(one["n"]), _number(one["log_loss"], 4), _number(one["brier"], 4)),
                *(_percent(one["accuracy"]), _number(one["model_log_loss"], 4)),
                *(_signed(one["difference"], 4), _interval(one, 4)),
            ]
        )
    share = _number(wins["home_share_log_loss"], 4)
    rows.append(["usual home share", _count(wins["n"]), share, *[_NONE] * 5])
    score = wins["score"]
    told = ""
    if score["n"]:
        told = (
            f"\n\nExpected score (n = {score['n']:,}): margin MAE {score['margin_mae']:.2f},"
            f" closing spread {score['closing_margin_mae']:.2f};"
            f" total MAE {score['total_mae']:.2f}, closing total {score['closing_total_mae']:.2f}."
        )
    return _table("Home win probability, each rival on the games that it has", header, rows) + told


def _reliability(wins: Figures) -> str:
    rows = [
        [
            *(f"{one['low']:.1f}–{one['high']:.1f}", _count(one["n"]), _percent(one["given"])),
            *(_percent(one["happened"]), _percents(one["band"])),
            "yes" if one["holds_diagonal"] else "no",
        ]
        for one in wins["reliability"]
    ]
    header = ["probability", "n", "given", "happened", "95% band for all bins", "holds diagonal"]
    slope = wins["calibration"]
    told = ""
    if slope is not None:
        told = (
            f"\n\nCalibration slope {slope['slope']:.3f}"
            f" ({slope['interval']['low']:.3f} to {slope['interval']['high']:.3f}),"
            f" intercept {slope['intercept']:+.3f}, n = {wins['n']:,}."
        )
    return _table("Reliability (exact binomial bands, Šidák)", header, rows) + told


def _by_season(seasons: Figures) -> str:
    rows = []
    for season, one in seasons.items():
        row = [season, _count(one["n"]), *(_number(one[name], 4) for name in _OVER_ALL)]
        for beside in one["beside"].values():
            row += [_count(beside["n"]), _number(beside["model_log_loss"], 4)]
            row.append(_number(beside["log_loss"], 4))
        rows.append(row)
    header = ["season", "n", "log loss", "Elo"]
    for name in next(iter(seasons.values()))["beside"]:
        header += [f"n, {name}", "log loss there", name]
    return _table("Home win by season, each yardstick on the games that it has", header, rows)


def _averages(averages: Sequence[Figures]) -> str:
    if not averages:
        return ""
    rows = [
        [
            *(one["against"], _seasons(one["seasons"]), _count(one["n"])),
            *(_number(one["model_log_loss"], 4), _number(one["log_loss"], 4)),
            _signed(one["difference"], 4),
        ]
        for one in averages
    ]
    header = ["yardstick", "seasons", "n", "model", "yardstick's", "difference"]
    return _table("Home win, log loss averaged over seasons, on identical games", header, rows)


def _shown(shown: Figures) -> str:
    rows = []
    for market in MARKETS:
        one = shown["markets"][market]
        rows.append(
            [
                *(market, _count(one["n"]), _number(one["mae"]), _number(one["row_mae"])),
                *(_signed(one["bias"]), _percent(one["coverage_80"])),
            ]
        )
    sums = shown["team_minutes"]
    told = (
        f"\n\nShown and played: {shown['n_shown_and_played']:,} of {shown['n_played']:,}"
        f" player-games ({_percent(shown['share_of_player_games'])}),"
        f" {_percent(shown['share_of_minutes'])} of the minutes."
        f" Minutes of {sums['n']:,} teams add up to {_number(sums['least'], 1)} to"
        f" {_number(sums['most'], 1)}."
    )
    header = ["market", "n", "MAE as shown", "of the same rows alone", "bias of mean", "in band"]
    return _table("The players whom the app expects, who played", header, rows) + told


def _out(out: Figures | None) -> str:
    if out is None:
        return ""
    rows = []
    for market in MARKETS:
        one = out["markets"][market]
        rows.append(
            [
                *(market, _count(one["n"]), _number(one["mae_without"]), _number(one["mae_with"])),
                *(_signed(one["difference"]), _interval(one)),
            ]
        )
    sums = out["team_minutes"]
    told = (
        f"\n\n{out['team_games']:,} team-games in which the list takes away an expected player."
        f" Minutes of {sums['n']:,} teams add up to {_number(sums['least'], 1)} to"
        f" {_number(sums['most'], 1)}."
    )
    header = ["market", "n", "MAE without the list", "with it", "difference", "95% interval"]
    return _table("Who is out: the team-mates who stay", header, rows) + told


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    shown = [
        "| "
        + " | ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join(
        "-" * (width + 2) if place == 0 else "-" * (width + 1) + ":"
        for place, width in enumerate(widths)
    )
    return "\n".join([f"## {title}", "", shown[0], f"{rule}|", *shown[1:]])


def _number(value: float | None, digits: int = 3) -> str:
    return _NONE if value is None else f"{value:.{digits}f}"


def _share(value: float | None, of: float | None) -> str:
    return f"{value / of - 1.0:+.1%}" if value is not None and of else _NONE


def _signed(value: float | None, digits: int = 3) -> str:
    # Adding zero takes the sign off a difference that rounds to nothing.
    return _NONE if value is None else f"{round(value, digits) + 0.0:+.{digits}f}"


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1%}"


def _interval(figures: Figures, digits: int = 3) -> str:
    if figures.get("low") is None:
        return _NONE
    return f"{_signed(figures['low'], digits)} to {_signed(figures['high'], digits)}"


def _percents(figures: Figures) -> str:
    if figures.get("low") is None:
        return _NONE
    return f"{figures['low']:.1%} to {figures['high']:.1%}"
