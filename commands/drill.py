"""The command that restores the newest backup to a temporary place and compares it with the log."""

from __future__ import annotations

import json

from commands.exit_codes import ExitCode
from commands.opening import read_settings_here
from jobs.authority import OWNER
from jobs.clock import system_clock
from jobs.drill import Drills, drill_folder
from jobs.drill_record import DrillOutcome
from jobs.state import open_storage
from nba.progress import ProgressBar

__all__ = ["drill"]


def drill(bar: ProgressBar, *, as_json: bool) -> ExitCode:
    """Run a restore drill now; FAILED unless the backup came back with the log's own rows."""
    settings = read_settings_here()
    storage = open_storage(settings)
    folder = drill_folder(settings.database_path)
    drills = Drills(lambda: storage, folder, system_clock, settings.owner)
    outcome = drills.run(OWNER, bar)
    bar.clear()
    note = drills.record.note
    if as_json:
        print(json.dumps(_facts(outcome) | {"note": note}, indent=2))
    else:
        print("\n".join(filter(None, [_words(outcome), note])))
    return ExitCode.DONE if outcome.is_good else ExitCode.FAILED


def _words(outcome: DrillOutcome) -> str:
    if not outcome.is_good:
        return outcome.problem
    way = (
        "its first entry"
        if outcome.played_from == 1
        else f"#{outcome.played_from}, where an earlier copy ends"
    )
    return (
        f"{outcome.backup_key} came back with the log's own rows: {outcome.rows:,} in "
        f"{outcome.tables} tables, as of #{outcome.sequence}. The log was played from {way}."
    )


def _facts(outcome: DrillOutcome) -> dict[str, object]:
    return {
        "result": outcome.result.value,
        "finished_at": outcome.finished_at.isoformat(),
        "duration_seconds": outcome.duration_seconds,
        "backup_key": outcome.backup_key,
        "sequence": outcome.sequence,
        "tables": outcome.tables,
        "rows": outcome.rows,
        "sha256": outcome.sha256,
        "played_from": outcome.played_from,
        "problem": outcome.problem,
    }
