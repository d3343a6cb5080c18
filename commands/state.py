"""Commands about the saved history: is it safe, is it sound, have it back."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

from commands.exit_codes import ExitCode
from commands.files import is_free, write_new_file
from commands.opening import NOTHING_SAVED, log_of, prepared, read_settings_here
from jobs.authority import OWNER
from jobs.saved import Level, SavedLine, describe
from jobs.state import Moment, has_history, open_storage
from jobs.verification import verify_saved
from nba.progress import ProgressBar
from prediction_tracking import HistoryFilters, Origin

__all__ = ["export", "restore", "status", "sync", "verify"]


def status(bar: ProgressBar, *, as_json: bool) -> ExitCode:
    """Say whether the history is saved; FAILED if it is not."""
    settings = read_settings_here()
    if has_history(settings):
        with prepared(settings, bar) as application:
            saved = application.saved_state()
        line, replica = describe(saved), saved.status
    else:
        # Opening would begin a log, and somebody only wants to look.
        line, replica = SavedLine(Level.SAVED, NOTHING_SAVED), None
    facts = {
        "level": line.level.value,
        "headline": line.headline,
        "details": line.details,
        "remedies": line.remedies,
        "sequence": replica.sequence if replica else None,
        "pending": replica.pending_transactions if replica else None,
    }
    if as_json:
        print(json.dumps(facts, indent=2))
    else:
        print("\n".join([line.headline, *line.details, *line.remedies]))
    return ExitCode.FAILED if line.level is Level.PROBLEM else ExitCode.DONE


def sync(bar: ProgressBar) -> ExitCode:
    """Do what the app does by itself, and save what is pending."""
    with prepared(read_settings_here(), bar) as application:
        application.tick()
        application.safekeeping.run()
        application.sync_now(OWNER)
        saved = application.saved_state()
    if saved.job_error is not None:
        raise saved.job_error
    print(describe(saved).headline)
    return ExitCode.DONE


def restore(to: Path, at: Moment | None) -> ExitCode:
    """Write the saved state, as it is or as it was, to a new file."""
    if not is_free(to):
        return ExitCode.FAILED
    if not open_storage(read_settings_here()).download_database(to, at):
        print(f"{NOTHING_SAVED}. Start the app, or run `python cli.py sync`.", file=sys.stderr)
        return ExitCode.FAILED
    print(to)
    return ExitCode.DONE


def verify(bar: ProgressBar, *, as_json: bool) -> ExitCode:
    """Read all that is saved and check it; FAILED if something is not as it was written."""
    verification = verify_saved(open_storage(read_settings_here()), bar)
    bar.clear()
    if as_json:
        facts = {
            "is_sound": verification.is_sound,
            "entries": verification.entries,
            "sound_until": verification.sound_until,
            "snapshots": verification.snapshots,
            "problems": verification.problems,
            "notes": verification.notes,
        }
        print(json.dumps(facts, indent=2))
    elif not verification.entries and not verification.problems:
        print(NOTHING_SAVED)
    else:
        entries, sound = verification.entries, verification.sound_until
        far = f"All is well up to #{sound}" if sound else "Not even the first entry is sound"
        print(f"{far}, of {entries} log entries and {verification.snapshots} snapshots.")
        print("\n".join([*verification.problems, *verification.notes]) or "Nothing is wrong.")
    return ExitCode.DONE if verification.is_sound else ExitCode.FAILED


def export(
    bar: ProgressBar, to: Path, *, since: date | None, until: date | None, origin: Origin | None
) -> ExitCode:
    """Write every logged prediction, with what happened, to a new CSV file."""
    if not is_free(to):
        return ExitCode.FAILED
    settings = read_settings_here()
    if not has_history(settings):
        print(f"{NOTHING_SAVED}. There is nothing to export.", file=sys.stderr)
        return ExitCode.FAILED
    filters = HistoryFilters(since=since, until=until, origin=origin)
    with prepared(settings, bar) as application:
        log = log_of(application)
        write_new_file(to, log.history_csv(filters))
        count = log.history_count(filters)
    print(f"{to} ({count:,} predictions)")
    return ExitCode.DONE
