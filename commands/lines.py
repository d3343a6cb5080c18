"""The command for a user's own lines: each beside the model, and the record of them all."""

from __future__ import annotations

import json
from pathlib import Path

from commands.exit_codes import ExitCode
from commands.files import is_free, write_new_file
from commands.opening import prepared, read_settings_here
from jobs.clock import system_clock
from jobs.configuration import Settings
from jobs.evenings import Evenings
from jobs.lines import compare_with, lines_beside_the_model
from jobs.state import has_history
from nba.lines import MAX_BYTES, WARNING, LineProblem, LinesRejected, LinesReport
from nba.lines.tables import (
    counts_line,
    facts_of,
    line_table,
    lines_csv,
    record_notes,
    record_table,
    standing_line,
)
from nba.progress import ProgressBar
from nba.reference import Reference, build_reference

__all__ = ["lines"]

_SHOWN = ("date", "player", "market", "line", "origin", "mean", "median", "over", "lean", "actual")


def lines(bar: ProgressBar, file: Path, *, csv: Path | None, as_json: bool) -> ExitCode:
    """Compare a file of lines with the model; DONE_IN_PART where rows had to be left out."""
    if csv is not None and not is_free(csv):
        return ExitCode.FAILED
    content = _read(file)
    settings = read_settings_here()
    if has_history(settings):
        with prepared(settings, bar) as application:
            report = lines_beside_the_model(application, content, file.name, bar)
    else:
        # Opening would begin a log, and somebody only wants to look.
        report = _with_bundled(settings, content, file.name, bar)
    bar.clear()
    print(json.dumps(facts_of(report), indent=2) if as_json else "\n".join(_words(report)))
    if csv is not None:
        write_new_file(csv, lines_csv(report))
    return ExitCode.DONE_IN_PART if report.left_out else ExitCode.DONE


def _read(file: Path) -> bytes:
    """The bytes of the file, at most one more than is accepted."""
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        problem = LineProblem(None, "", error.strerror or "it cannot be read")
        raise LinesRejected(str(file), [problem], "Name a CSV file that can be read") from error


def _with_bundled(settings: Settings, content: bytes, key: str, bar: ProgressBar) -> LinesReport:
    """The lines beside the bundled seasons alone."""
    path = settings.state_folder / "reference.db"
    reference = Reference(build_reference(settings.data_folder, path, bar.preparing))
    return compare_with(
        content,
        key,
        reference=reference,
        log=None,
        project=Evenings(reference).projection,
        now=system_clock(),
        progress=bar,
    )


def _words(report: LinesReport) -> list[str]:
    words = [counts_line(report), standing_line(report)]
    if report.joined:
        table = line_table(report.joined)
        shown = table[[*_SHOWN, "result"]].round({"mean": 1, "median": 1, "over": 3})
        words += ["", shown.to_string(index=False, na_rep="–")]
    if report.records:
        words += ["", record_table(report.records).to_string(index=False)]
    words += ["", *record_notes(report.records)]
    if report.left_out:
        words += ["", "Left out:"]
        words += [f"  row {one.row}: {one.reason.value}: {one.detail}" for one in report.left_out]
    if report.repeated:
        words += ["", "Counted once:"]
        words += [
            f"  row {one.row} repeats row {one.first_row}"
            + (", with other prices" if one.other_prices else "")
            for one in report.repeated
        ]
    return [*words, "", WARNING]
