"""The track record on screen: headline, groups, calibration, calls, winners, model versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Final

import streamlit as st

from jobs.errors import EXPLAINED
from nba.stats import STATS, Stat
from prediction_tracking import Origin
from tracking.accuracy import Choice
from tracking.scoring import Scoring, TrackRecord
from tracking.scoring_figures import Call, StatDetail, StatScore
from ui.addresses import asked_choices, asked_date, player_address, read_or_warn
from ui.charts import show_chart
from ui.errors import show_error
from ui.filter_fields import ORIGINS, date_field, field_row, origin_field, version_field
from ui.formats import percent, short_date
from ui.frame import Frame
from ui.record_calibration import show_calibration
from ui.record_charts import coverage_chart, date_chart, error_chart, error_words
from ui.record_downloads import download_button
from ui.record_tables import (
    best_baseline,
    calls_columns,
    calls_table,
    gain_words,
    group_frame,
    interval_words,
    stats_columns,
    stats_frame,
    stats_table,
    versions_table,
)
from ui.record_winners import show_winners
from ui.record_words import WHEN_IT_COUNTS, aim_sentence, show_how_we_score
from ui.shared_record import share_track_record
from ui.tables import STAT_LABELS, UNITS

__all__ = ["show_track_record"]

_BY: Final[Mapping[str, str]] = {
    "date": "Date",
    "team": "Team",
    "role": "Role",
    "value": "Projected value",
}
_BY_WORDS: Final[Mapping[str, str]] = {
    "team": "the player's team",
    "role": "projected minutes",
    "value": "the projected mean",
}
# A small change is scored sooner than a second drawing of the page would take.
_PATIENCE_SECONDS: Final = 0.15
_LOOK_SECONDS: Final = 0.5


def show_track_record(frame: Frame, scoring: Scoring) -> None:
    """Draw the page; a long computation shows its progress first."""
    try:
        _show(frame, scoring)
    except EXPLAINED as error:
        show_error(frame.actor, error)


def _show(frame: Frame, scoring: Scoring) -> None:
    if not _is_brought_up_to_date(frame, scoring):
        return
    earliest, latest = frame.application.known_dates()
    choice = _choice(scoring, earliest, latest)
    record = scoring.track_record(choice)
    is_live = choice.origin.value == Origin.LIVE.value
    _show_what_it_is(record, is_live=is_live)
    if record.n == 0 and record.wins.n == 0:
        _show_empty(is_live=is_live, is_narrowed=choice != Choice(choice.origin, None, None, None))
        show_how_we_score()
        return
    _show_headline(record)
    _show_stats(record.stats)
    stat = _chosen_stat()
    detail = scoring.detail(choice, stat)
    [score] = [one.score for one in record.stats if one.stat == stat]
    if score is not None:
        values = scoring.groups(choice, stat, "value")
        _show_groups(scoring, choice, detail)
        show_calibration(group_frame(values, stat, "value"), stat, score)
        _show_calls(detail)
    else:
        st.info(f"No {UNITS[stat]} among these predictions have a known result.")
    show_winners(record.wins)
    st.header("Model versions")
    versions = versions_table(stat, detail.versions, record.win_versions)
    st.dataframe(
        versions,
        alt=f"Model versions: their slates, error of {UNITS[stat]} and log loss",
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_config={"Model": st.column_config.TextColumn(pinned=True)},
    )
    st.caption("Each version over its own slates: no two of them faced the same games.")
    download_button("Download the model versions as CSV", versions, "model-versions.csv")
    show_how_we_score()
    share_track_record(frame, scoring, choice, record, stat)


def _is_brought_up_to_date(frame: Frame, scoring: Scoring) -> bool:
    """Whether there is something to show; what is only a little old may be shown meanwhile."""
    if scoring.is_current():
        return True
    scoring.begin_update()
    try:
        if scoring.wait(_PATIENCE_SECONDS):
            return scoring.is_ready()
    except EXPLAINED as error:
        show_error(frame.actor, error)
        return scoring.is_ready()
    st.fragment(_show_progress, run_every=_LOOK_SECONDS)(frame, scoring)
    return scoring.is_ready()


def _show_progress(frame: Frame, scoring: Scoring) -> None:
    try:
        if scoring.wait(0.0):
            st.rerun()
    except EXPLAINED as error:
        show_error(frame.actor, error)
        return
    text = (
        "Scoring what is new; the figures below are a little older"
        if scoring.is_ready()
        else "Scoring every prediction (only at the first look)"
    )
    st.progress(scoring.fraction, text=text)


def _choice(scoring: Scoring, earliest: date, latest: date) -> Choice:
    """The fields above everything; each stands in the address."""
    labels = list(ORIGINS.values())
    read_or_warn(lambda: asked_choices(labels, key="origin"))
    for key in ("since", "until"):
        read_or_warn(partial(asked_date, earliest, latest, key=key))
    row = field_row()
    origin = origin_field(row)
    everything = scoring.track_record(Choice(Origin(origin), None, None, None))
    # Another origin has other versions, which is nobody's mistake.
    if "model" not in st.session_state:
        read_or_warn(lambda: asked_choices(everything.versions, key="model"))
    since = date_field(row, "From (US Eastern)", "since", (earliest, latest))
    until = date_field(row, "Until (US Eastern)", "until", (earliest, latest))
    model = version_field(row, everything.versions)
    return Choice(Origin(origin), since, until, model)


def _show_what_it_is(record: TrackRecord, *, is_live: bool) -> None:
    if record.first_date is None or record.last_date is None:
        return
    span = f"{short_date(record.first_date)} to {short_date(record.last_date)}"
    if is_live:
        st.caption(
            f"Live predictions, {span} (US Eastern): each was in the store before its game's "
            "tip-off. Replays are never among them."
        )
    else:
        st.warning(
            f"Replays, {span} (US Eastern): past dates played as if they were that evening. This "
            "is no track record, and the model may have been trained on these games.",
            icon=":material/replay:",
        )


def _show_empty(*, is_live: bool, is_narrowed: bool) -> None:
    if is_narrowed:
        text = "No prediction with a known result fits. Widen the dates or choose all versions."
    elif is_live:
        text = (
            f"No figure yet: {WHEN_IT_COUNTS}. Come back the morning after the first games, or "
            "choose Replay above."
        )
    else:
        text = (
            "No replay with known results is logged yet. The owner can log one: choose a past date "
            "on Today's Games."
        )
    st.info(text, icon=":material/hourglass_empty:")


def _show_headline(record: TrackRecord) -> None:
    """What the page says at first sight."""
    [points] = [one.score for one in record.stats if one.stat == "points"]
    first, second, third = st.columns(3)
    gains = []
    if points is not None:
        best = best_baseline(points)
        gains.append(best.gain if best is not None else None)
        with first:
            st.metric(
                f"Points, average error · n = {points.n:,}",
                f"{points.mae.value:.2f}",
                delta=gain_words(best, points.n) if best else None,
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=f"Mean absolute error in points; 95% interval {interval_words(points.mae)}. "
                "Compared with the best of the simple averages on the same rows.",
            )
        if points.coverage is not None:
            with second:
                st.metric(
                    f"Points in range · n = {points.n_bands:,}",
                    percent(points.coverage.value, 1),
                    delta="80% is the aim",
                    delta_color="off",
                    delta_arrow="off",
                    border=True,
                    help="Share of results from floor to ceiling; 95% interval "
                    f"{interval_words(points.coverage, shares=True)}.",
                )
    wins = record.wins
    if wins.log_loss is not None:
        elo = next(one for one in wins.baselines if one.name == "elo")
        gains.append(elo.gain)
        with third:
            st.metric(
                f"Winners, log loss · n = {wins.n:,}",
                f"{wins.log_loss.value:.3f}",
                delta=gain_words(elo, wins.n, places=3) or None,
                delta_color="off",
                delta_arrow="off",
                border=True,
                help="Lower is better, a coin has 0.693; 95% interval "
                f"{interval_words(wins.log_loss, places=3)}.",
            )
    # In full below, because a narrow tile cuts its words off.
    if any(gain is not None and gain.interval is None for gain in gains):
        st.caption("Too few evenings to tell better from worse: chance may explain what is above.")


def _show_stats(stats: Sequence[StatScore]) -> None:
    st.header("Every stat beside simple averages")
    st.dataframe(
        stats_table(stats),
        alt="Error of every stat beside simple averages, with bias and share in range",
        hide_index=True,
        width="stretch",
        column_config=stats_columns(),
    )
    st.caption(
        "Error: mean absolute error in the stat's unit, lower is better. The averages stand on the "
        "same rows; in brackets how many where one needs an earlier game, and the model's error "
        "there. Intervals draw whole evenings; below ten evenings there is none."
    )
    download_button(
        "Download these figures as CSV", stats_frame(stats), "nba-daily-track-record.csv"
    )


def _chosen_stat() -> Stat:
    labels = [STAT_LABELS[stat] for stat in STATS]
    read_or_warn(lambda: asked_choices(labels, key="stat"))
    st.header("One stat in detail")
    chosen: Stat = st.selectbox(
        "Stat",
        STATS,
        format_func=STAT_LABELS.__getitem__,
        key="stat",
        bind="query-params",
        width=220,
    )
    return chosen


def _show_groups(scoring: Scoring, choice: Choice, detail: StatDetail) -> None:
    read_or_warn(lambda: asked_choices(list(_BY.values()), key="by"))
    by = st.selectbox(
        "By",
        list(_BY),
        format_func=_BY.__getitem__,
        key="by",
        bind="query-params",
        width=220,
    )
    unit = UNITS[detail.stat]
    is_by_date = by == "date"
    groups = detail.by_date if is_by_date else scoring.groups(choice, detail.stat, by)
    frame = group_frame(groups, detail.stat, by)
    if is_by_date:
        st.markdown(f"**Error by {detail.period}**")
        show_chart(date_chart(frame, unit), error_words(frame, f"by {detail.period}", unit))
    else:
        st.markdown(f"**Error by {_BY_WORDS[by]}**")
        show_chart(error_chart(frame, by, unit), error_words(frame, f"by {_BY_WORDS[by]}", unit))
    words = _BY_WORDS.get(by, detail.period)
    if not is_by_date and frame["in_range"].notna().any():
        st.markdown(f"**Share in range by {words}**")
        low, high = frame["in_range"].min(), frame["in_range"].max()
        show_chart(
            coverage_chart(frame, by, detail.stat),
            f"Share of {unit} from floor to ceiling by {words}: {percent(low)} to {percent(high)}. "
            f"{aim_sentence(detail.stat)}",
        )
        st.caption(aim_sentence(detail.stat))
    download_button(f"Download {STAT_LABELS[detail.stat]} by {words} as CSV", frame, f"by-{by}.csv")


def _show_calls(detail: StatDetail) -> None:
    st.subheader(f"Best calls and worst misses of {UNITS[detail.stat]}")
    for title, calls, label, name in (
        (
            "Best calls: in range, and nearer than the season average by most",
            detail.best,
            "Nearer by",
            "best",
        ),
        ("Worst misses: farthest from the median", detail.worst, "Off by", "worst"),
    ):
        st.markdown(f"**{title}**")
        if not calls:
            st.caption("There is none.")
            continue
        table = calls_table(calls, label)
        st.dataframe(
            table,
            alt=title,
            hide_index=True,
            width="stretch",
            placeholder="–",
            column_config=calls_columns(detail.stat, label),
        )
        download_button(f"Download the {name} as CSV", table, f"{name}-{detail.stat}.csv")
        _link_players(calls)


def _link_players(calls: Sequence[Call]) -> None:
    """The players of the first calls, each with a page of his own."""
    names = {call.player_id: call.player_name for call in calls[:3]}
    with st.container(horizontal=True):
        for player_id, name in names.items():
            path, parameters = player_address(player_id)
            st.page_link(path, label=name, icon=":material/person:", query_params=parameters)
