"""Commands about the copies that are kept: list, make, forget, delete, have one as a file."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random

from commands.exit_codes import ExitCode
from commands.files import is_free
from commands.opening import NOTHING_SAVED, prepared, read_settings_here
from jobs.authority import OWNER
from jobs.backup_names import name_of
from jobs.backup_reading import noted_in_bucket, write_plain_file
from jobs.backups import Backup
from jobs.clock import system_clock
from jobs.csv_rebuild import rebuild_predictions
from jobs.state import has_history, open_storage
from nba.progress import ProgressBar
from replica import ReplicaError
from s3_storage import S3PredictionStorage

__all__ = ["backup", "download", "forget", "prune", "rebuild", "rebuild_from_csv", "show"]


def backup(bar: ProgressBar) -> ExitCode:
    """Save what is pending, and keep a copy of everything."""
    with prepared(read_settings_here(), bar) as application:
        kept = application.backup_jobs.make(OWNER)
    print(f"{kept.key} ({kept.size_bytes:,} bytes)")
    return ExitCode.DONE


def show(bar: ProgressBar, *, as_json: bool) -> ExitCode:
    """List the catalogue, newest first."""
    settings = read_settings_here()
    if has_history(settings):
        with prepared(settings, bar) as application:
            listed = application.backup_jobs.listed(OWNER)
    else:
        # Opening would begin a log, and somebody only wants to look.
        listed = ()
    if as_json:
        facts = [_facts(one.backup) | {"kept_because": one.reasons} for one in listed]
        print(json.dumps(facts, indent=2))
        return ExitCode.DONE
    for one in listed:
        print(f"{_line(one.backup)}  {_because(one.backup, one.reasons)}")
    if not listed:
        print("There is no backup yet. `python cli.py backup` makes one.")
    return ExitCode.DONE


def download(key: str | None, to: Path | None) -> ExitCode:
    """Write one backup to a new file, from the bucket alone.

    Its content has to be the one that the catalogue in the bucket notes. Where no note is to be had
    the backup is written all the same, for that is when it is needed, and this is said.
    """
    if key is None or to is None:
        print("--download KEY and --to FILE belong together.", file=sys.stderr)
        return ExitCode.WRONG_USAGE
    if not is_free(to):
        return ExitCode.FAILED
    storage = open_storage(read_settings_here())
    noted = _noted(storage, key) if name_of(key) is not None else ""
    write_plain_file(storage.store, key, to, sha256=noted)
    print(to)
    return ExitCode.DONE


def forget(bar: ProgressBar, keys: Sequence[str], *, dry_run: bool, as_json: bool) -> ExitCode:
    """Mark what the rules do not keep, or the named ones."""
    with prepared(read_settings_here(), bar) as application:
        answer = application.backup_jobs.forget(OWNER, keys, dry_run=dry_run)
    if as_json:
        facts = {
            "dry_run": dry_run,
            "forgotten": [_facts(one) for one in answer.forgotten],
            "kept": [_facts(kept.backup) | {"kept_because": kept.reasons} for kept in answer.kept],
        }
        print(json.dumps(facts, indent=2))
        return ExitCode.DONE
    for kept in answer.kept:
        print(f"keep    {_line(kept.backup)}  {', '.join(kept.reasons)}")
    for one in answer.forgotten:
        print(f"forget  {_line(one)}")
    count = _count(len(answer.forgotten))
    print(
        f"Would forget {count}; nothing was marked."
        if dry_run
        else f"Forgot {count}. `python cli.py prune` deletes what is forgotten."
    )
    return ExitCode.DONE


def prune(bar: ProgressBar, *, as_json: bool) -> ExitCode:
    """Delete what is forgotten; FAILED if something else is not as it should be."""
    with prepared(read_settings_here(), bar) as application:
        answer = application.backup_jobs.prune(OWNER)
    if as_json:
        facts = {
            "deleted": answer.deleted,
            "freed_bytes": answer.freed_bytes,
            "problems": answer.problems,
        }
        print(json.dumps(facts, indent=2))
    else:
        print(f"Deleted {_count(len(answer.deleted))}, {answer.freed_bytes:,} bytes.")
        print("\n".join(answer.problems) or "What is kept is all there.")
    return ExitCode.FAILED if answer.problems else ExitCode.DONE


def rebuild(bar: ProgressBar, *, as_json: bool) -> ExitCode:
    """Make the catalogue anew from the bucket; FAILED if a backup is damaged."""
    with prepared(read_settings_here(), bar) as application:
        answer = application.backup_jobs.rebuild(OWNER, bar)
        bar.clear()
    if as_json:
        facts = {
            "backups": answer.backups,
            "added": answer.added,
            "removed": answer.removed,
            "changed": answer.changed,
            "damaged": answer.damaged,
            "unknown": answer.unknown,
        }
        print(json.dumps(facts, indent=2))
    else:
        print(
            f"{_count(answer.backups)}: {len(answer.added)} added to the list, "
            f"{len(answer.removed)} taken out, {len(answer.changed)} corrected."
        )
        for key in answer.unknown:
            print(f"{key}: no backup of this app; left alone.")
        print("\n".join(answer.damaged) or "Every backup was read, and is sound.")
    return ExitCode.FAILED if answer.damaged else ExitCode.DONE


def rebuild_from_csv(bar: ProgressBar, to: Path) -> ExitCode:
    """Write the predictions of the readable copies to a new file; FAILED if one is damaged."""
    if not is_free(to):
        return ExitCode.FAILED
    answer = rebuild_predictions(
        open_storage(read_settings_here()), to, bar, clock=system_clock, generator=Random()
    )
    bar.clear()
    if not answer.files and not answer.problems:
        print(f"{NOTHING_SAVED} below csv/.", file=sys.stderr)
        return ExitCode.FAILED
    if answer.runs:
        print(f"{to} ({answer.runs:,} runs, {answer.predictions:,} predictions)")
    for problem in answer.problems:
        print(problem, file=sys.stderr)
    return ExitCode.FAILED if answer.problems else ExitCode.DONE


def _noted(storage: S3PredictionStorage, key: str) -> str:
    """The hash that the catalogue notes of a backup; "" where there is none, after saying so."""
    problem = "The catalogue does not have it."
    try:
        sha256 = noted_in_bucket(storage, key, Path(tempfile.gettempdir()))
    except ReplicaError as error:
        sha256, problem = "", str(error)
    if not sha256:
        told = f"{key}: it is only known to fit itself, for no noted hash was compared. {problem}"
        print(told, file=sys.stderr)
    return sha256


def _line(one: Backup) -> str:
    made_at = one.made_at.strftime("%Y-%m-%d %H:%M UTC")
    entry = f"#{one.sequence}" if one.sequence else "of no log"
    return f"{one.key}  {made_at}  {entry}  {one.row_count:,} rows  {one.size_bytes:,} bytes"


def _because(one: Backup, reasons: Sequence[str]) -> str:
    if one.is_forgotten:
        return "forgotten: `prune` deletes it"
    return ", ".join(reasons) or "no rule keeps it: `forget` marks it"


def _facts(one: Backup) -> dict[str, object]:
    return {
        "key": one.key,
        "kind": one.kind.value,
        "made_at": one.made_at.isoformat(),
        "sequence": one.sequence,
        "log_id": one.log_id,
        "size_bytes": one.size_bytes,
        "row_count": one.row_count,
        "sha256": one.sha256,
        "compression": one.compression,
        "kept_by": one.kept_by.value,
        "forgotten_at": one.forgotten_at and one.forgotten_at.isoformat(),
    }


def _count(number: int) -> str:
    return f"{number:,} {'backup' if number == 1 else 'backups'}"
