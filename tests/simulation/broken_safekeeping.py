"""Backups and the way back with one deliberate defect each; see ``broken``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs import rehearsal, retention
from replica import ContentDigest, backups, restore_plan, rewind
from replica import replica as replicas
from replica.backups import BackupKey, Earlier
from replica.conflicts import CONFLICTS_TABLE
from replica.envelope import Change, Entry, Kind
from replica.exchange import Exchange
from replica.live import LiveDatabase
from replica.snapshots import content_copy
from tests.simulation.model import CATALOGUE
from tests.simulation.variants import Patches, Variant, registering
from tracking.backup_catalogue import Backup, KeptBy

__all__ = ["VARIANTS"]

VARIANTS: dict[str, Variant] = {}

_variant = registering(VARIANTS)


@_variant
def _restores_are_not_computed_anew() -> Patches:
    """A restore that lost the race is claimed again as it was, above what came first."""
    first: dict[Path, tuple[Change, ...]] = {}

    def entry(exchange: Exchange, live: LiveDatabase, earlier: Earlier, *rest: Any) -> Entry | None:
        made = real(exchange, live, earlier, *rest)
        if made is None or made.kind is not Kind.CHANGES:
            return made
        return replace(made, changes=first.setdefault(earlier.path, made.changes))

    real = rewind._entry
    yield rewind, "_entry", entry


@_variant
def _restores_take_conflicts_back() -> Patches:
    """A restore gives every table that travels what it held then, the conflicts among them."""

    def restore_to(*arguments: Any, tables: Sequence[str], **options: Any) -> int | None:
        return rewind.restore_to(*arguments, tables=(*tables, CONFLICTS_TABLE), **options)

    yield replicas, "restore_to", restore_to


@_variant
def _restores_take_all_tables() -> Patches:
    """A restore of some tables gives the others what they held then too."""

    def restore_to(*arguments: Any, tables: Sequence[str], **options: Any) -> int | None:
        live: LiveDatabase = arguments[1]
        everything = [table for table in live._tables if table != CONFLICTS_TABLE]
        return rewind.restore_to(*arguments, tables=everything, **options)

    yield replicas, "restore_to", restore_to


@_variant
def _restores_forget_their_plan() -> Patches:
    """A restore that was begun does not look whether its plan still holds."""

    def entry(*arguments: Any) -> Entry | None:
        made: Entry | None = real(*arguments[:-1], None)
        return made

    real: Any = rewind._entry
    yield rewind, "require_current", lambda *arguments: None
    yield rewind, "_entry", entry


@_variant
def _restores_without_an_answer_are_given_up() -> Patches:
    """A restore whose claim has had no answer is said not to have come about."""
    yield replicas, "may_come_about", lambda live, transaction_id: False


@_variant
def _backups_are_taken_at_their_word() -> Patches:
    """What was noted of a backup when it was made is not compared with what comes back."""

    def fetch(store: Any, backup: BackupKey, *rest: Any) -> Any:
        return real(store, replace(backup, sha256=""), *rest)

    real = backups._fetch
    yield backups, "_fetch", fetch


@_variant
def _plans_count_what_is_pending() -> Patches:
    """A plan compares with the file as it is, what is not in the log included."""

    def copy(path: Path, tables: Sequence[str]) -> Any:
        return content_copy(path, tables, pending=True)

    yield restore_plan, "content_copy", copy


@_variant
def _plans_leave_the_next_entry_out() -> Patches:
    """What came later is counted from one entry too late."""

    def times_after(sequence: int, now: Path) -> Any:
        return real(sequence + 1, now)

    real = restore_plan._times_after
    yield restore_plan, "_times_after", times_after


@_variant
def _the_oldest_backups_are_kept() -> Patches:
    """Retention counts from the wrong end."""

    def decide(
        kept: Iterable[Backup], rules: retention.Retention, **whose: Any
    ) -> retention.Verdict:
        listed = sorted(kept, key=lambda backup: (backup.made_at, backup.key))
        times = [backup.made_at for backup in listed]
        turned = [
            replace(backup, made_at=made_at)
            for backup, made_at in zip(listed, reversed(times), strict=True)
        ]
        return real(turned, rules, **whose)

    real = retention.decide
    yield retention, "decide", decide


@_variant
def _what_a_person_keeps_is_forgotten() -> Patches:
    """Retention asks its rules about every backup, whoever wanted it kept."""

    def decide(
        kept: Iterable[Backup], rules: retention.Retention, **whose: Any
    ) -> retention.Verdict:
        scheduled = [replace(backup, kept_by=KeptBy.SCHEDULE) for backup in kept]
        return real(scheduled, rules, **whose)

    real = retention.decide
    yield retention, "decide", decide


@_variant
def _drills_do_not_compare() -> Patches:
    """A backup that can be restored is good, whatever is in it."""
    yield rehearsal, "_require_same", lambda key, restored, played: None


@_variant
def _drills_believe_any_copy() -> Patches:
    """A copy that no drill has proved is a place to begin at, whatever the catalogue says."""
    yield rehearsal, "_may_begin_at", lambda start, restored: True


@_variant
def _drills_leave_the_catalogue_out() -> Patches:
    """Only what can be restored is compared, and not what tells which copies are sound."""

    def require_same(key: str, *found: ContentDigest) -> None:
        real(key, *map(without_catalogue, found))

    def without_catalogue(found: ContentDigest) -> ContentDigest:
        compared = {name: told for name, told in found.tables.items() if name != CATALOGUE}
        return replace(found, tables=compared)

    real: Any = rehearsal._require_same
    yield rehearsal, "_require_same", require_same
