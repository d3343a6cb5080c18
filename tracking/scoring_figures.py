"""The track record in figures: what a screen shows of the sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from nba.evaluation import BASELINES
from nba.stats import STATS, Stat
from tracking.accuracy import Choice
from tracking.scoring_intervals import Estimate, differences_of, ratios_of
from tracking.scoring_sums import GAIN, MISS, ROLES, SUMS

__all__ = [
    "BaselineScore",
    "Call",
    "GroupScore",
    "StatDetail",
    "StatScore",
    "VersionScore",
    "group_scores",
    "stat_detail",
    "stat_scores",
    "where_of",
]

Floats = NDArray[np.float64]

SHOWN_CALLS: Final = 10
_MOST_SLATES: Final = 31
_MOST_WEEKS: Final = 40


@dataclass(frozen=True, slots=True)
class BaselineScore:
    """A baseline over the `n` rows for which it exists; None without one.

    `mae` and `model_mae` are mean absolute errors over these very rows, in the stat's unit, `gain`
    the baseline's less the model's: above zero the model is better.
    """

    name: str
    n: int
    mae: float | None
    model_mae: float | None
    gain: Estimate | None


@dataclass(frozen=True, slots=True)
class GroupScore:
    """Scores of some rows of one stat, in its unit; `name` says which rows.

    `mae` judges the median, `bias` is projected mean - actual, `mean` and `actual` are the averages
    of both, `under` the share (0..1) of actuals below the median, where those that equal it count
    half. `coverage`, `below` and `width` (ceiling - floor) are over the `n_bands` rows with a band,
    None without one.
    """

    name: str
    n: int
    mae: Estimate
    bias: float
    mean: float
    actual: float
    under: float
    n_bands: int
    coverage: Estimate | None
    below: float | None
    width: float | None
    baselines: Mapping[str, BaselineScore]


@dataclass(frozen=True, slots=True)
class StatScore:
    """All rows of a stat; `score` is None without any. `dates` counts slates."""

    stat: Stat
    dates: int
    score: GroupScore | None


@dataclass(frozen=True, slots=True)
class VersionScore:
    """All rows of a stat that one model version said, between two slates."""

    version: str
    first_date: date
    last_date: date
    score: GroupScore


@dataclass(frozen=True, slots=True)
class Call:
    """One prediction that stands out; `size` is what it stands out by, in the stat's unit."""

    slate_date: date
    game_id: str
    player_id: int
    player_name: str
    team: str
    opponent: str
    median: float
    floor: float | None
    ceiling: float | None
    actual: float
    season_average: float | None
    size: float


@dataclass(frozen=True, slots=True)
class StatDetail:
    """One stat over time, by model version, and its calls.

    `period` is slate, week or month: what `by_date` goes by; its names are the periods' first
    dates. `best` are the calls by which the model beat the season average most, `worst` the largest
    errors.
    """

    stat: Stat
    period: str
    by_date: tuple[GroupScore, ...]
    versions: tuple[VersionScore, ...]
    best: tuple[Call, ...]
    worst: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    """Sums by slate and group, (slates, groups, SUMS)."""

    days: list[str]
    names: list[str]
    sums: Floats

    def column(self, name: str) -> Floats:
        """One sum, (slates, groups)."""
        found: Floats = self.sums[:, :, SUMS.index(name)]
        return found


def where_of(choice: Choice) -> tuple[str, dict[str, str]]:
    """Conditions on the rows of the cache, and their bindings."""
    sql, bindings = choice.where()
    return f"origin = :origin AND {sql.replace('r.', '')}", {
        **bindings,
        "origin": choice.origin.value,
    }


def stat_scores(cache: apsw.Connection, choice: Choice) -> tuple[StatScore, ...]:
    """Every stat over all rows of the choice."""
    found = []
    for stat in STATS:
        table = _read(cache, choice, stat, "all")
        groups = _groups(table)
        found.append(StatScore(stat, len(table.days), groups[0] if groups else None))
    return tuple(found)


def group_scores(
    cache: apsw.Connection, choice: Choice, stat: Stat, dimension: str
) -> tuple[GroupScore, ...]:
    """One stat by one of DIMENSIONS: teams by error, roles in their order, values ascending."""
    groups = _groups(_read(cache, choice, stat, dimension))
    if dimension == "role":
        return tuple(sorted(groups, key=lambda group: ROLES.index(group.name)))
    if dimension == "value":
        return tuple(sorted(groups, key=lambda group: int(group.name)))
    return tuple(sorted(groups, key=lambda group: group.mae.value))


def stat_detail(
    cache: apsw.Connection, choice: Choice, stat: Stat, name_of: Callable[[int], str]
) -> StatDetail:
    """One stat over time and by model version; `name_of` names a player by his id."""
    everything = _read(cache, choice, stat, "all")
    period, start_of = _period(everything.days)
    return StatDetail(
        stat=stat,
        period=period,
        by_date=tuple(_groups(_by_period(everything, start_of))),
        versions=tuple(_versions(cache, choice, stat)),
        best=tuple(_calls(cache, choice, stat, GAIN, name_of)),
        worst=tuple(_calls(cache, choice, stat, MISS, name_of)),
    )


def _read(
    cache: apsw.Connection, choice: Choice, stat: Stat, dimension: str, name: str = "name"
) -> _Table:
    """The sums of a stat by slate and by `name`, a column."""
    where, bindings = where_of(choice)
    sql = f"""
    SELECT slate_date, {name}, {", ".join(SUMS)} FROM sums
    WHERE stat = :stat AND dimension = :dimension AND {where}
    """
    rows = cache.execute(sql, {**bindings, "stat": stat, "dimension": dimension}).fetchall()
    days = sorted({str(row[0]) for row in rows})
    names = sorted({str(row[1]) for row in rows})
    sums = np.zeros((len(days), len(names), len(SUMS)))
    if rows:
        day_of = {day: place for place, day in enumerate(days)}
        name_of = {text: place for place, text in enumerate(names)}
        places = ([day_of[str(row[0])] for row in rows], [name_of[str(row[1])] for row in rows])
        np.add.at(sums, places, np.array([row[2:] for row in rows], np.float64))
    return _Table(days, names, sums)


def _groups(table: _Table) -> list[GroupScore]:
    """The scores of each group."""
    if not table.days:
        return []
    total = table.sums.sum(axis=0)
    maes = ratios_of(table.column("error"), table.column("n"))
    coverages = ratios_of(table.column("inside"), table.column("n_bands"))
    gains = {
        name: differences_of(
            [
                (table.column(f"error_{name}"), table.column(f"n_{name}")),
                (table.column(f"model_error_{name}"), table.column(f"n_{name}")),
            ]
        )
        for name in BASELINES
    }
    found = []
    for place, name in enumerate(table.names):
        sums = dict(zip(SUMS, (float(one) for one in total[place]), strict=True))
        mae = maes[place]
        if mae is None:
            continue
        n, n_bands = sums["n"], sums["n_bands"]
        found.append(
            GroupScore(
                name=name,
                n=round(n),
                mae=mae,
                bias=sums["bias"] / n,
                mean=sums["mean"] / n,
                actual=sums["actual"] / n,
                under=sums["under"] / n,
                n_bands=round(n_bands),
                coverage=coverages[place],
                below=sums["below"] / n_bands if n_bands else None,
                width=sums["width"] / n_bands if n_bands else None,
                baselines={one: _baseline(one, sums, gains[one][place]) for one in BASELINES},
            )
        )
    return found


def _baseline(name: str, sums: Mapping[str, float], gain: Estimate | None) -> BaselineScore:
    n = sums[f"n_{name}"]
    if not n:
        return BaselineScore(name, 0, None, None, None)
    return BaselineScore(
        name, round(n), sums[f"error_{name}"] / n, sums[f"model_error_{name}"] / n, gain
    )


def _period(days: Sequence[str]) -> tuple[str, Callable[[str], str]]:
    """How slates are put together so that a chart of them can be read."""
    if len(days) <= _MOST_SLATES:
        return "slate", str
    if len({_monday(day) for day in days}) <= _MOST_WEEKS:
        return "week", _monday
    return "month", lambda day: f"{day[:7]}-01"


def _monday(day: str) -> str:
    start = date.fromisoformat(day)
    return (start - timedelta(days=start.weekday())).isoformat()


def _by_period(table: _Table, start_of: Callable[[str], str]) -> _Table:
    """The table with a group for each period: an interval still draws slates."""
    starts = [start_of(day) for day in table.days]
    names = sorted(set(starts))
    sums = np.zeros((len(table.days), len(names), len(SUMS)))
    for place, start in enumerate(starts):
        sums[place, names.index(start)] = table.sums[place, 0]
    return _Table(table.days, names, sums)


def _versions(cache: apsw.Connection, choice: Choice, stat: Stat) -> Iterator[VersionScore]:
    """Each model version's scores, the one with the newest slate first."""
    table = _read(cache, choice, stat, "all", "model_version")
    scores = _groups(table)
    spans = []
    for score in scores:
        rows = table.column("n")[:, table.names.index(score.name)]
        said = [table.days[place] for place in np.flatnonzero(rows)]
        spans.append((date.fromisoformat(said[0]), date.fromisoformat(said[-1]), score))
    for first, last, score in sorted(spans, key=lambda span: (span[1], span[0]), reverse=True):
        yield VersionScore(score.name, first, last, score)


def _calls(
    cache: apsw.Connection,
    choice: Choice,
    stat: Stat,
    kind: str,
    name_of: Callable[[int], str],
) -> Iterator[Call]:
    where, bindings = where_of(choice)
    sql = f"""
    SELECT slate_date, game_id, player_id, team, opponent, median, floor, ceiling, actual,
      season_average, size
    FROM calls WHERE stat = :stat AND kind = :kind AND {where}
    ORDER BY size DESC, slate_date DESC, game_id, player_id LIMIT {SHOWN_CALLS}
    """
    rows: list[tuple[Any, ...]] = cache.execute(
        sql, {**bindings, "stat": stat, "kind": kind}
    ).fetchall()
    for day, game_id, player_id, *others in rows:
        name = name_of(player_id)
        yield Call(date.fromisoformat(day), game_id, player_id, name, *others)
