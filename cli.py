"""NBA Daily without a browser: fetch results, log tonight, look at the record, save, restore.

Settings come from `.streamlit/secrets.toml` and the environment, as for the app.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

try:
    from commands import doctor, drill, lines, password, season, state
    from commands.backup_arguments import add_backup_commands
    from commands.exit_codes import ExitCode
    from jobs.errors import EXPLAINED
    from jobs.state import Moment
    from nba.progress import ProgressBar
    from prediction_tracking import Origin
except ModuleNotFoundError as missing:
    sys.exit(
        f"This Python has no {missing.name}. `make run` installs what is needed into .venv; then: "
        ".venv/bin/python cli.py --help"
    )

__all__ = ["main"]

EXIT_CODES = """\
exit codes:
  0  done
  1  failed; the reason and a remedy are on standard error (status, verify, drill, doctor: not all
     is well)
  2  wrong usage
  3  done in part: a source did not answer, a result is missing or in quarantine; the rest is saved
"""

Run = Callable[[argparse.Namespace, ProgressBar], ExitCode]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit codes are those of `--help`."""
    options = _parser().parse_args(arguments)
    bar = ProgressBar(sys.stderr, quiet=options.quiet)
    run: Run = options.run
    try:
        return int(run(options, bar))
    except EXPLAINED as error:
        bar.clear()
        print(error, file=sys.stderr)
        return int(ExitCode.FAILED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python cli.py",
        description=__doc__,
        epilog=f"{EXIT_CODES}\nEach command has a --help of its own, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(quiet=False)
    commands = _Commands(parser)
    _add_season(commands)
    _add_looks(commands)
    _add_state(commands)
    add_backup_commands(commands.add)
    commands.add(
        "hash-password",
        lambda options, bar: password.make_password_line(),
        "make the line for [owner] password_hash",
        "Asks for a password twice and prints the line for the app's secrets. Keeps nothing.",
        "python cli.py hash-password",
        quiet=False,
    )
    return parser


class _Commands:
    """Adds commands that all look alike in their help."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        self, name: str, run: Run, purpose: str, writes: str, example: str, *, quiet: bool = True
    ) -> argparse.ArgumentParser:
        """A command, what it is for in a few words, what it writes, and an example of it."""
        command = self._commands.add_parser(
            name,
            help=purpose,
            description=f"{purpose[:1].upper()}{purpose[1:]}.\n\n{writes}",
            epilog=f"example:\n  {example}\n\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        if quiet:
            command.add_argument("--quiet", action="store_true", help="show no progress")
        return command


def _add_season(commands: _Commands) -> None:
    daily = commands.add(
        "daily",
        lambda options, bar: season.daily(bar, strict=options.strict, as_json=options.json),
        "do all that a day needs: results in, tonight logged before tip-off, all saved",
        "Writes to the bucket: new responses below bronze/, the history, CSV copies, a snapshot.\n"
        "Run it as often as you like, also beside the app: what is done is not done again.\n"
        "What could not be had is named. That is no failure, for tonight is logged all the same:\n"
        "it ends with 3 only if --strict is given.",
        "python cli.py daily",
    )
    daily.add_argument(
        "--strict", action="store_true", help="end with 3 if a source did not give all that is due"
    )
    _json(daily)

    ingest = commands.add(
        "ingest",
        lambda options, bar: (
            season.rebuild(bar, as_json=options.json)
            if options.rebuild
            else season.ingest(bar, options.folder, as_json=options.json)
        ),
        "fetch games and results that are missing, and learn them",
        "Writes to the bucket: new responses below bronze/, and what they say to the history.\n"
        "The NBA's servers often refuse data centres: run this at home, for the same bucket.\n"
        "Ends with 3 if something could not be had; what came is saved.",
        "python cli.py ingest --from ~/saved-responses",
    )
    either = ingest.add_mutually_exclusive_group()
    either.add_argument(
        "--from",
        dest="folder",
        type=_folder,
        metavar="FOLDER",
        help="ask nobody, take the responses saved in this folder (scoreboard.json, …)",
    )
    either.add_argument(
        "--rebuild",
        action="store_true",
        help="ask nobody, build everything anew from the responses in the bucket, and compare it "
        "with the history; writes nothing, ends with 1 if the two differ",
    )
    _json(ingest)


def _add_looks(commands: _Commands) -> None:
    predict = commands.add(
        "predict",
        lambda options, bar: season.predict(bar, options.date, log=options.log, csv=options.csv),
        "show the projections of a slate",
        "Writes nothing unless asked to: --csv a file, --log tonight's run to the history.",
        "python cli.py predict --date 2026-11-20 --csv slate.csv",
    )
    predict.add_argument(
        "--date", type=_date, metavar="DATE", help="a US Eastern date; else tonight's slate"
    )
    predict.add_argument(
        "--log",
        action="store_true",
        help="log tonight's, as the app does by itself; ends with 3 if it is too early for that",
    )
    predict.add_argument("--csv", type=Path, metavar="FILE", help="write a new CSV file as well")

    score = commands.add(
        "score",
        lambda options, bar: season.score(
            bar, since=options.since, until=options.until, as_json=options.json
        ),
        "show how good the logged predictions were, beside simple baselines on the same rows",
        "Writes nothing. Only what was saved before its game's tip-off counts.",
        "python cli.py score --since 2026-11-01",
    )
    _dates(score)
    _json(score)

    own = commands.add(
        "lines",
        lambda options, bar: lines.lines(bar, options.file, csv=options.csv, as_json=options.json),
        "compare your own lines (CSV) with the model, and show the record of its side",
        "Writes nothing unless asked to: --csv a file. Your lines are not kept.\n"
        "Columns: date, player or player_id, market, line; over_price and under_price if known.\n"
        "Ends with 3 if rows had to be left out, such as those of an unknown player.",
        "python cli.py lines my-lines.csv",
    )
    own.add_argument("file", type=Path, metavar="FILE", help="a CSV file with a header")
    own.add_argument("--csv", type=Path, metavar="FILE", help="write a new CSV file as well")
    _json(own)

    export = commands.add(
        "export",
        lambda options, bar: state.export(
            bar, options.to, since=options.since, until=options.until, origin=options.origin
        ),
        "write every logged prediction, with what happened, as CSV",
        "Writes one new file, never over one that is there.",
        "python cli.py export --to predictions.csv --origin live",
    )
    export.add_argument("--to", type=Path, required=True, metavar="FILE")
    _dates(export)
    export.add_argument(
        "--origin",
        type=Origin,
        choices=[Origin.LIVE, Origin.REPLAY],
        metavar="ORIGIN",
        help="live (logged for a coming slate) or replay; else both",
    )


def _add_state(commands: _Commands) -> None:
    status = commands.add(
        "status",
        lambda options, bar: state.status(bar, as_json=options.json),
        "say whether the history is saved",
        "Publishes what is pending on this machine and writes nothing else. Ends with 1 if\n"
        "something is not saved. Stop the app on this machine first: one process owns the file.",
        "python cli.py status --json",
    )
    _json(status)

    commands.add(
        "sync",
        lambda options, bar: state.sync(bar),
        "do what the app does by itself, once: results, tonight if due, save what is pending",
        "Writes to the bucket what is new here, and to this machine what is new there.",
        "python cli.py sync",
    )

    restore = commands.add(
        "restore",
        lambda options, bar: state.restore(options.to, options.at),
        "write the saved history to a file, as it is or as it was",
        "Writes one new plain SQLite file, never over one that is there. Only the bucket is read,\n"
        "so the app may run.",
        "python cli.py restore --to copy.db --at 2026-11-20T18:00Z",
        quiet=False,
    )
    restore.add_argument("--to", type=Path, required=True, metavar="FILE")
    restore.add_argument(
        "--at",
        type=_moment,
        metavar="MOMENT",
        help="as it was at a log entry (its number) or a time (2026-11-20T18:00Z); else the newest",
    )

    verify = commands.add(
        "verify",
        lambda options, bar: state.verify(bar, as_json=options.json),
        "read all that is saved and check that it is as it was written",
        "Plays the whole log from its first entry, checks every snapshot against it, and says up\n"
        "to which entry all is well. Only reads the bucket, so the app may run.",
        "python cli.py verify",
    )
    _json(verify)

    rehearsal = commands.add(
        "drill",
        lambda options, bar: drill.drill(bar, as_json=options.json),
        "restore the newest backup to a temporary place, and compare it with the log",
        "Only reads the bucket, so the app may run; the outcome is noted beside the working copy.\n"
        "Ends with 1 unless every row that came back is the log's own.",
        "python cli.py drill",
    )
    _json(rehearsal)

    examined = commands.add(
        "doctor",
        lambda options, bar: (
            doctor.policy()
            if options.policy
            else doctor.doctor(repair=options.repair, others=options.others, as_json=options.json)
        ),
        "say what is wrong with settings, store and log, and what mends it",
        "Tries each permission with small objects below probe/, which it deletes again, looks at\n"
        "how the bucket is set up, and follows the log to its end. Ends with 1 for a problem; a\n"
        "warning is none. Writes nothing else to the bucket but what is pending here, and with\n"
        "--repair the original bytes of log entries: it begins no log, and brings none to another\n"
        "version.",
        "python cli.py doctor --repair --from /mnt/laptop/nba_stats.db",
        quiet=False,
    )
    _json(examined)
    either = examined.add_mutually_exclusive_group()
    either.add_argument(
        "--policy",
        action="store_true",
        help="only print the IAM policy that this configuration's key needs",
    )
    either.add_argument(
        "--repair",
        action="store_true",
        help="put entries back from this machine's copies or the bucket's older versions",
    )
    examined.add_argument(
        "--from",
        dest="others",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another machine's nba_stats.db, which keeps entries too; may be repeated",
    )


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="for other programs")


def _dates(command: argparse.ArgumentParser) -> None:
    for name, words in (("--since", "first"), ("--until", "last")):
        command.add_argument(
            name, type=_date, metavar="DATE", help=f"the {words} slate, a US Eastern date"
        )


def _moment(text: str) -> Moment:
    """A number of a log entry, or a time; a time without a zone is UTC."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither the number of an entry nor a time such as 2026-11-20T18:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-20") from None


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path


if __name__ == "__main__":
    sys.exit(main())
