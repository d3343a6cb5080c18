"""Which backups the rules keep: as restic's rules, and never none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jobs.retention import BY_PERSON, OF_ANOTHER_LOG, TOO_NEW, Retention, Verdict
from jobs.retention import decide as decide_at
from tracking.backup_catalogue import Backup, BackupKind

BEGUN = datetime(2026, 10, 20, 12, tzinfo=UTC)  # a Tuesday
NOTHING = Retention(0, 0, 0, 0)
LOG = "11111111-1111-4111-8111-111111111111"
LATER = BEGUN + timedelta(days=1000)


def decide(backups: Sequence[Backup], retention: Retention) -> Verdict:
    """When all of them are of the log and of the past."""
    return decide_at(backups, retention, log_id=LOG, now=LATER)


def backup(made_at: datetime, kind: BackupKind = BackupKind.DAILY, sequence: int = 1) -> Backup:
    return Backup(
        key=f"backups/{made_at:%Y-%m-%dT%H-%M-%SZ}-{kind.value}.db.zst",
        kind=kind,
        made_at=made_at,
        sequence=sequence,
        log_id=LOG,
        size_bytes=1000,
        row_count=10,
        sha256="0" * 64,
        compression="zstd",
        kept_by=kind.kept_by,
    )


def a_year() -> list[Backup]:
    """One a day at noon, oldest first."""
    return [backup(BEGUN + timedelta(days=day)) for day in range(365)]


def days(backups: Sequence[Backup]) -> list[str]:
    return [f"{one.made_at:%Y-%m-%d}" for one in backups]


def test_a_year_of_dailies_keeps_a_week_a_month_and_the_ends_of_the_months() -> None:
    verdict = decide(a_year(), Retention())
    kept = [kept.backup for kept in verdict.kept]
    assert days(kept) == [
        # The last of each of twelve months, of four weeks (Sundays), and the last seven days.
        *("2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"),
        *("2027-05-31", "2027-06-30", "2027-07-31", "2027-08-31", "2027-09-30", "2027-10-03"),
        *("2027-10-10", "2027-10-13", "2027-10-14", "2027-10-15", "2027-10-16"),
        *("2027-10-17", "2027-10-18", "2027-10-19"),
    ]
    assert len(verdict.forgotten) + len(kept) == 365


def test_each_reason_is_named() -> None:
    reasons = {
        f"{kept.backup.made_at:%m-%d}": kept.reasons for kept in decide(a_year(), Retention()).kept
    }
    assert reasons["10-19"] == (
        "the newest",
        "daily 2027-10-19",
        "weekly 2027-W42",
        "monthly 2027-10",
    )
    assert reasons["10-18"] == ("2 of the last 3", "daily 2027-10-18")
    assert reasons["10-17"] == ("3 of the last 3", "daily 2027-10-17", "weekly 2027-W41")
    assert reasons["10-03"] == ("weekly 2027-W39",)
    assert reasons["11-30"] == ("monthly 2026-11",)


def test_of_a_day_the_newest_is_kept() -> None:
    one_day = [backup(BEGUN + timedelta(hours=hour)) for hour in range(8)]
    verdict = decide(one_day, Retention(keep_last=1))
    assert [kept.backup for kept in verdict.kept] == one_day[-1:]
    assert list(verdict.forgotten) == one_day[:-1]


def test_of_a_second_the_one_that_holds_more_is_the_newer() -> None:
    """The second one of a second has a number in its key, which sorts before the first."""
    first = backup(BEGUN, sequence=7)
    second = replace(first, key=first.key.replace(".db", "-2.db"), sequence=8)
    assert second.key < first.key
    assert [kept.backup for kept in decide([second, first], NOTHING).kept] == [second]


def test_days_without_a_backup_do_not_count() -> None:
    """The app slept for a month: the week before it is still there."""
    before = [backup(BEGUN + timedelta(days=day)) for day in range(7)]
    after = backup(BEGUN + timedelta(days=40))
    verdict = decide([*before, after], Retention(1, 7, 0, 0))
    assert [kept.backup for kept in verdict.kept] == [*before[1:], after]


def test_days_weeks_and_months_are_utc() -> None:
    """23:59 and 00:01 UTC are two days, whatever the zone in which a time is given."""
    eastern = datetime.fromisoformat("2026-11-30T18:59:00-05:00")
    pair = [backup(eastern), backup(eastern + timedelta(minutes=2))]
    assert len(decide(pair, Retention(1, 2, 0, 0)).kept) == 2
    assert len(decide(pair, Retention(1, 0, 0, 2)).kept) == 2
    assert len(decide(pair, Retention(1, 0, 2, 0)).kept) == 1


def test_a_week_over_new_year_is_one_week() -> None:
    pair = [backup(datetime(2026, 12, 31, tzinfo=UTC)), backup(datetime(2027, 1, 1, tzinfo=UTC))]
    assert [kept.backup for kept in decide(pair, Retention(1, 0, 5, 0)).kept] == pair[1:]


@pytest.mark.parametrize(
    "kind", [BackupKind.MANUAL, BackupKind.SET_ASIDE, BackupKind.IMPORTED, BackupKind.OTHER]
)
def test_no_rule_forgets_what_a_person_keeps(kind: BackupKind) -> None:
    kept_by_person = [backup(BEGUN + timedelta(days=day), kind) for day in range(50)]
    verdict = decide([*kept_by_person, *a_year()], NOTHING)
    assert verdict.kept[:-1] == tuple(kept for kept in verdict.kept if kept.reasons == (BY_PERSON,))
    assert [kept.backup for kept in verdict.kept[:-1]] == kept_by_person
    # Nor do they take a place from the others.
    assert verdict.kept[-1].backup == a_year()[-1]


def test_rules_that_keep_nothing_keep_the_newest() -> None:
    verdict = decide(a_year(), NOTHING)
    assert [kept.backup for kept in verdict.kept] == a_year()[-1:]


def test_what_is_forgotten_already_has_no_say() -> None:
    year = a_year()
    gone = replace(year[-1], forgotten_at=BEGUN)
    verdict = decide([*year[:-1], gone], NOTHING)
    assert [kept.backup for kept in verdict.kept] == [year[-2]]
    assert gone not in verdict.forgotten


def test_what_is_of_another_log_is_kept_and_takes_no_place() -> None:
    """After the log was lost those are the only copies of what it held."""
    hours = [BEGUN + timedelta(days=day, hours=1) for day in range(20)]
    earlier = [replace(backup(hour), log_id="another") for hour in hours]
    own = a_year()[10:30]
    verdict = decide([*earlier, *own], Retention(1, 2, 0, 0))
    spared = [one for one in verdict.kept if one.backup.log_id != LOG]
    assert [one.backup for one in spared] == earlier
    assert {one.reasons for one in spared} == {(OF_ANOTHER_LOG,)}
    assert [one.backup for one in verdict.kept if one.backup.log_id == LOG] == own[-2:]
    assert list(verdict.forgotten) == own[:-2]


def test_what_is_dated_in_the_future_waits_for_its_time() -> None:
    year = a_year()
    now = year[-2].made_at
    verdict = decide_at(year, Retention(1, 1, 0, 0), log_id=LOG, now=now)
    assert [(one.backup, one.reasons[0]) for one in verdict.kept] == [
        (year[-2], "the newest"),
        (year[-1], TOO_NEW),
    ]
    soon = replace(year[-1], made_at=now + timedelta(seconds=2))
    verdict = decide_at([*year[:-1], soon], NOTHING, log_id=LOG, now=now)
    assert [one.backup for one in verdict.kept] == [soon], "clocks differ by so much"
    then = decide_at(year, Retention(1, 1, 0, 0), log_id=LOG, now=year[-1].made_at)
    assert [one.backup for one in then.kept] == year[-1:]


def test_nothing_in_nothing_out() -> None:
    verdict = decide([], Retention())
    assert (verdict.kept, verdict.forgotten) == ((), ())


counts = st.integers(0, 6)
kinds = st.sampled_from(BackupKind)
minutes = st.integers(0, 400 * 24 * 60)


@given(
    made=st.lists(st.tuples(minutes, kinds), max_size=60, unique=True),
    retention=st.builds(Retention, counts, counts, counts, counts),
)
def test_whatever_there_is_the_rules_hold(
    made: list[tuple[int, BackupKind]], retention: Retention
) -> None:
    backups = [backup(BEGUN + timedelta(minutes=minute), kind) for minute, kind in made]
    verdict = decide(backups, retention)
    kept = [one.backup for one in verdict.kept]
    # Each is in one of the two, in order, and kept for a reason.
    assert {one.key for one in kept} | {one.key for one in verdict.forgotten} == {
        one.key for one in backups
    }
    assert len(kept) + len(verdict.forgotten) == len(backups)
    for ordered in (kept, list(verdict.forgotten)):
        assert all(a.made_at <= b.made_at for a, b in pairwise(ordered))
    assert all(one.reasons for one in verdict.kept)
    scheduled = sorted(
        (one for one in backups if one.kind.kept_by.value == "schedule"),
        key=lambda one: (one.made_at, one.key),
    )
    if scheduled:
        assert scheduled[-1] in kept
        assert set(scheduled[-max(1, retention.keep_last) :]) <= set(kept)
    # No more than the rules ask for, and all of it if there are as many periods.
    by_rule: dict[str, int] = {}
    for one in verdict.kept:
        for reason in one.reasons:
            word = reason.split()[0]
            by_rule[word] = by_rule.get(word, 0) + 1
    for word, count, form in (
        ("daily", retention.keep_daily, "%Y-%m-%d"),
        ("weekly", retention.keep_weekly, "%G-%V"),
        ("monthly", retention.keep_monthly, "%Y-%m"),
    ):
        periods = {one.made_at.strftime(form) for one in scheduled}
        assert by_rule.get(word, 0) == min(count, len(periods))
    # A second look changes nothing.
    assert decide(kept, retention).forgotten == ()
