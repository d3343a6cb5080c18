"""The track record as what can be shared: its figures, or a report with charts of one stat."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from exports.draft import Draft, Format, Progress, View
from exports.report import Fact, Report, Table
from nba.stats import COUNTS, Stat
from prediction_tracking import Origin
from tracking.accuracy import Choice
from tracking.scoring import Scoring, TrackRecord
from tracking.scoring_figures import Call, GroupScore, StatDetail, StatScore
from tracking.scoring_wins import WinScore
from ui.filter_fields import ORIGINS
from ui.formats import percent, short_date
from ui.frame import Frame
from ui.record_charts import (
    calibration_chart,
    date_chart,
    error_chart,
    error_words,
    means_chart,
    means_words,
    quantiles_frame,
    quantiles_words,
    reliability_chart,
    reliability_frame,
    reliability_words,
)
from ui.record_tables import (
    best_baseline,
    calls_table,
    gain_words,
    group_frame,
    stats_frame,
    stats_table,
    versions_table,
    wins_table,
)
from ui.record_words import HOW_WE_SCORE, aim_sentence
from ui.share import share_box
from ui.shared_files import Part, Picture, facts, table_of, write_report, write_rows
from ui.tables import UNITS

__all__ = ["share_track_record"]

_FORMATS: Final = (Format.HTML, Format.CSV, Format.PARQUET)


def share_track_record(
    frame: Frame, scoring: Scoring, choice: Choice, record: TrackRecord, stat: Stat
) -> None:
    """The owner's box below the track record; a report has the charts of `stat`."""
    share_box(
        frame,
        View.TRACK_RECORD,
        _FORMATS,
        partial(_draft, frame, scoring, choice, record, stat),
    )


def _draft(
    frame: Frame,
    scoring: Scoring,
    choice: Choice,
    record: TrackRecord,
    stat: Stat,
    chosen: Format,
) -> Draft:
    is_live = choice.origin.value == Origin.LIVE.value
    title = "Track record" if is_live else "Replays beside what happened"
    if record.first_date and record.last_date:
        title += f", {short_date(record.first_date)} to {short_date(record.last_date)}"
    name = f"nba-daily-{'track-record' if is_live else 'replays'}.{chosen}"

    def write(folder: Path, progress: Progress) -> int:
        if chosen != Format.HTML:
            return write_rows(stats_frame(record.stats), chosen, folder / name, progress)
        report = Report(
            title=title,
            made_at=frame.application.clock(),
            shows=facts(
                [
                    ("Origin", ORIGINS[choice.origin.value]),
                    ("From", "" if choice.since is None else f"{choice.since} (US Eastern)"),
                    ("Until", "" if choice.until is None else f"{choice.until} (US Eastern)"),
                    ("Model version", choice.model_version or ", ".join(record.versions)),
                ]
            ),
            facts=_headline(record),
        )
        return write_report(report, _parts(scoring, choice, record, stat), folder / name, progress)

    return Draft(View.TRACK_RECORD, title, chosen, name, write)


def _headline(record: TrackRecord) -> tuple[Fact, ...]:
    """The figures of the page's first row, each with how many rows it is of."""
    [points] = [one.score for one in record.stats if one.stat == "points"]
    named = []
    if points is not None:
        best = best_baseline(points)
        words = [f"{points.mae.value:.2f}", gain_words(best, points.n) if best else ""]
        named.append((f"Points, average error (n = {points.n:,})", _joined(words)))
        if points.coverage is not None:
            share = percent(points.coverage.value, 1)
            named.append((f"Points in range (n = {points.n_bands:,})", f"{share}; 80% is the aim"))
    wins = record.wins
    if wins.log_loss is not None:
        elo = next(one for one in wins.baselines if one.name == "elo")
        words = [f"{wins.log_loss.value:.3f}", gain_words(elo, wins.n, places=3)]
        named.append((f"Winners, log loss (n = {wins.n:,})", _joined(words)))
    return facts(named)


def _joined(words: list[str]) -> str:
    return "; ".join(word for word in words if word)


def _parts(scoring: Scoring, choice: Choice, record: TrackRecord, stat: Stat) -> tuple[Part, ...]:
    detail = scoring.detail(choice, stat)
    [score] = [one.score for one in record.stats if one.stat == stat]
    parts = [_stats(record.stats, is_live=choice.origin.value == Origin.LIVE.value)]
    if score is not None:
        roles = scoring.groups(choice, stat, "role")
        values = scoring.groups(choice, stat, "value")
        parts += [_errors(detail, roles), _calibration(values, stat, score), _calls(detail)]
    if record.wins.n:
        parts.append(_winners(record.wins))
    versions = versions_table(stat, detail.versions, record.win_versions)
    places = {column: 3 for column in versions.columns if str(column).endswith("error")}
    parts += [
        Part(
            "Model versions",
            "Each version over its own slates: no two of them faced the same games.",
            tables=(table_of(versions, "Model versions", places=places | {"Log loss": 4}),),
        ),
        Part("How we score ourselves", HOW_WE_SCORE.strip().replace("**", "")),
    ]
    return tuple(parts)


def _stats(stats: tuple[StatScore, ...], *, is_live: bool) -> Part:
    told = (
        "Live predictions: each was in the store before its game's tip-off. Replays are never "
        "among them."
        if is_live
        else "Replays: past dates played as if they were that evening. This is no track record, "
        "and the model may have been trained on these games."
    )
    words = (
        "Error: mean absolute error in the stat's unit, lower is better. The averages stand on the "
        "same rows; in brackets how many where one needs an earlier game, and the model's error "
        "there."
    )
    table = table_of(stats_table(stats), "Every stat beside simple averages", places={"Error": 2})
    return Part("Every stat beside simple averages", f"{told}\n\n{words}", tables=(table,))


def _errors(detail: StatDetail, roles: tuple[GroupScore, ...]) -> Part:
    unit = UNITS[detail.stat]
    by_date = group_frame(detail.by_date, detail.stat, "date")
    by_role = group_frame(roles, detail.stat, "role")
    return Part(
        f"Error of {unit}",
        f"By {detail.period}, and by projected minutes. Dashed or a diamond: an average in which a "
        "game counts half as much as one eight games later (EWMA 8).",
        pictures=(
            Picture(date_chart(by_date, unit), error_words(by_date, f"by {detail.period}", unit)),
            Picture(
                error_chart(by_role, "role", unit),
                error_words(by_role, "by projected minutes", unit),
            ),
        ),
    )


def _calibration(values: tuple[GroupScore, ...], stat: Stat, score: GroupScore) -> Part:
    unit, quantiles = UNITS[stat], quantiles_frame(score, stat)
    words = [aim_sentence(stat), means_words(score, unit)]
    means = Picture(means_chart(group_frame(values, stat, "value"), unit), means_words(score, unit))
    if quantiles.empty:
        return Part(f"Calibration of {unit}", words[1], pictures=(means,))
    told = quantiles_words(quantiles)
    # Shares of counts have bounds and no aims: a diagonal would call a good one bad.
    held = () if stat in COUNTS else (Picture(calibration_chart(quantiles), told),)
    return Part(f"Calibration of {unit}", " ".join([told, *words]), pictures=(*held, means))


def _calls(detail: StatDetail) -> Part:
    def table(calls: tuple[Call, ...], size: str, caption: str) -> tuple[Table, ...]:
        shown = calls_table(calls, size)
        return (table_of(shown, caption, places={"Actual": 0}),) if calls else ()

    return Part(
        f"Best calls and worst misses of {UNITS[detail.stat]}",
        "Both lists are made by the same program and nobody chooses.",
        tables=(
            *table(
                detail.best, "Nearer by", "In range, and nearer than the season average by most"
            ),
            *table(detail.worst, "Off by", "Farthest from the median"),
        ),
    )


def _winners(wins: WinScore) -> Part:
    words = reliability_words(wins)
    picture = Picture(reliability_chart(reliability_frame(wins.reliability)), words)
    places = {"Log loss": 4, "Brier": 4, "Model on these games": 4}
    return Part(
        "Winners",
        f"Log loss (in nats) and Brier score of the home team's chance over {wins.n:,} games, "
        f"lower is better. {words}",
        pictures=(picture,),
        tables=(table_of(wins_table(wins), "The model beside simple ones", places=places),),
    )
