"""Commands about the season as it goes on: results in, projections out, the record."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

from commands.exit_codes import ExitCode
from commands.files import is_free, write_new_file
from commands.opening import NOTHING_SAVED, log_of, prepared, read_settings_here
from commands.reports import (
    daily_facts,
    daily_lines,
    ingest_facts,
    ingest_lines,
    quarantine_reasons,
)
from commands.tables import accuracy_facts, accuracy_lines, projection_lines
from jobs.application import Application
from jobs.authority import OWNER
from jobs.clock import system_clock
from jobs.configuration import Settings
from jobs.errors import ConfigurationError, NotReady
from jobs.state import has_history
from jobs.tonight import tonights_date
from nba.progress import ProgressBar
from nba.reference import Reference, build_reference
from nba.slate import SlateProjection, project_slate
from nba.slate_csv import slate_csv
from prediction_tracking import Run

__all__ = ["daily", "ingest", "predict", "rebuild", "score"]


def ingest(bar: ProgressBar, folder: Path | None, *, as_json: bool) -> ExitCode:
    """Fetch what is missing and learn it; DONE_IN_PART where something could not be had."""
    settings = read_settings_here()
    if folder is None and not settings.sources.names:
        raise ConfigurationError(
            "fetch results",
            "[nba] sources",
            "No source is switched on.",
            'Set sources = ["live", "stats"], or give a folder of saved responses with --from.',
        )
    with prepared(settings, bar) as application:
        if folder is None:
            report = application.ingest(OWNER, bar)
        else:
            report = application.ingest_from(OWNER, folder, bar)
        application.sync_now(OWNER)
        reasons = quarantine_reasons(log_of(application), report)
    if as_json:
        print(json.dumps(ingest_facts(report, reasons), indent=2))
    else:
        print("\n".join(ingest_lines(report, reasons)))
    return ExitCode.DONE if report.is_complete else ExitCode.DONE_IN_PART


def rebuild(bar: ProgressBar, *, as_json: bool) -> ExitCode:
    """Build silver anew from all kept responses; FAILED if the state says otherwise."""
    with prepared(read_settings_here(), bar) as application:
        report = application.rebuild_silver(OWNER, bar)
    if as_json:
        facts = {
            "equal": report.equal,
            "documents": report.documents,
            "differences": report.differences,
        }
        print(json.dumps(facts, indent=2))
    else:
        print(f"Read {report.documents:,} kept responses.")
        print("\n".join(report.differences) or "The state says the same as they do.")
    return ExitCode.DONE if report.equal else ExitCode.FAILED


def daily(bar: ProgressBar, *, strict: bool, as_json: bool) -> ExitCode:
    """Do all that a day needs; DONE_IN_PART only if `strict` and something could not be had."""
    with prepared(read_settings_here(), bar) as application:
        report = application.daily(OWNER, bar)
        reasons = quarantine_reasons(log_of(application), report.ingest)
    if as_json:
        print(json.dumps(daily_facts(report, reasons), indent=2))
    else:
        print("\n".join(daily_lines(report, reasons)))
    in_part = strict and not report.is_complete
    return ExitCode.DONE_IN_PART if in_part else ExitCode.DONE


def predict(bar: ProgressBar, day: date | None, *, log: bool, csv: Path | None) -> ExitCode:
    """Show the projections of a slate, tonight's without a date, and log tonight's if asked to."""
    if log and day is not None:
        print("--log is for tonight's slate: leave out --date.", file=sys.stderr)
        return ExitCode.WRONG_USAGE
    if csv is not None and not is_free(csv):
        return ExitCode.FAILED
    settings = read_settings_here()
    logged: Run | None = None
    if log or has_history(settings):
        with prepared(settings, bar) as application:
            if log:
                logged = _log_tonight(application)
            projection = application.projection(day or _require(application.tonights_date()))
    else:
        # Opening would begin a log, and somebody only wants to look.
        projection = _project_bundled(settings, day, bar)
    print("\n".join(projection_lines(projection)))
    if csv is not None:
        write_new_file(csv, slate_csv(projection))
        print(f"\n{csv}")
    if not log:
        return ExitCode.DONE
    print(f"\n{_logged_line(logged)}")
    return ExitCode.DONE if logged else ExitCode.DONE_IN_PART


def score(bar: ProgressBar, *, since: date | None, until: date | None, as_json: bool) -> ExitCode:
    """Show the track record beside its baselines."""
    settings = read_settings_here()
    if not has_history(settings):
        print(f"{NOTHING_SAVED}. There is nothing to score.", file=sys.stderr)
        return ExitCode.FAILED
    with prepared(settings, bar) as application:
        accuracy = log_of(application).accuracy(since=since, until=until)
    if as_json:
        print(json.dumps(accuracy_facts(accuracy), indent=2))
    else:
        print("\n".join(accuracy_lines(accuracy)))
    return ExitCode.DONE


def _log_tonight(application: Application) -> Run | None:
    """What the app does by itself; the run that then counts for tonight."""
    application.tick()
    application.sync_now(OWNER)
    error = application.saved_state().job_error
    if error is not None:
        raise error
    tonight = application.tonights_date()
    return None if tonight is None else log_of(application).current_run(tonight)


def _project_bundled(settings: Settings, day: date | None, bar: ProgressBar) -> SlateProjection:
    """A slate from the bundled seasons alone."""
    path = settings.state_folder / "reference.db"
    reference = Reference(build_reference(settings.data_folder, path, bar.preparing))
    bar.clear()
    return project_slate(reference, day or _require(tonights_date(reference, system_clock())))


def _require(tonight: date | None) -> date:
    if tonight is None:
        raise NotReady(
            "predict", "tonight", "No game is on the schedule any more.", "Name a --date."
        )
    return tonight


def _logged_line(run: Run | None) -> str:
    if run is None:
        return (
            "Not logged yet. A slate is logged on its own date, once last night's results are here "
            "or three hours before its first tip-off."
        )
    at = f"{run.logged_at:%Y-%m-%d %H:%M} UTC"
    return f"Logged {at} as run {run.run_id}, saved as #{run.sequence}."
