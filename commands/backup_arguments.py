"""What the commands about backups are called, and which words they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from commands import backups
from commands.exit_codes import ExitCode
from nba.progress import ProgressBar

__all__ = ["AddCommand", "add_backup_commands"]

_FOR_PROGRAMS = "for other programs"


class AddCommand(Protocol):
    """Adds a command: what it is called and does, in a few words, what it writes, an example."""

    def __call__(
        self,
        name: str,
        run: Callable[[argparse.Namespace, ProgressBar], ExitCode],
        purpose: str,
        writes: str,
        example: str,
    ) -> argparse.ArgumentParser: ...


def add_backup_commands(add: AddCommand) -> None:
    """Add `backup`, `backups`, `forget`, `prune` and `rebuild-from-csv`."""
    add(
        "backup",
        lambda options, bar: backups.backup(bar),
        "save, and keep a copy of the whole history",
        "Writes one object below backups/ in the bucket, reads it back, and writes it into the\n"
        "list. It stays until somebody names it to `forget`.",
        "python cli.py backup",
    )

    listed = add(
        "backups",
        lambda options, bar: (
            backups.download(options.download, options.to)
            if options.download or options.to
            else backups.rebuild(bar, as_json=options.json)
            if options.rebuild
            else backups.show(bar, as_json=options.json)
        ),
        "list the backups, and say why each is kept",
        "Only reads, but for --rebuild, which writes the list, and --download, which writes a new\n"
        "plain SQLite file from the bucket alone, so that the app may run. It has to be what the\n"
        "bucket's list notes; where that is lost, it says so.",
        "python cli.py backups --download backups/2026-11-20T18-00-00Z-manual.db.zst --to copy.db",
    )
    either = listed.add_mutually_exclusive_group()
    either.add_argument(
        "--rebuild",
        action="store_true",
        help="make the list anew from the objects in the bucket alone, each of which is read; ends "
        "with 1 if one is damaged, or not what was noted of it",
    )
    either.add_argument("--download", metavar="KEY", help="write this backup to a file")
    listed.add_argument("--to", type=Path, metavar="FILE", help="where to, with --download")
    listed.add_argument("--json", action="store_true", help=_FOR_PROGRAMS)

    forget = add(
        "forget",
        lambda options, bar: backups.forget(
            bar, options.keys, dry_run=options.dry_run, as_json=options.json
        ),
        "mark the backups that the rules do not keep; `prune` deletes them",
        "Writes to the list of backups; deletes nothing. The rules are in the secrets' [backups]:\n"
        "keep_last, keep_daily, keep_weekly, keep_monthly. Backups that a person made are only\n"
        "forgotten by name, and so is a damaged object that is not in the list.",
        "python cli.py forget --dry-run",
    )
    forget.add_argument("keys", nargs="*", metavar="KEY", help="these, whatever the rules say")
    forget.add_argument("--dry-run", action="store_true", help="only say what would be marked")
    forget.add_argument("--json", action="store_true", help=_FOR_PROGRAMS)

    prune = add(
        "prune",
        lambda options, bar: backups.prune(bar, as_json=options.json),
        "delete the backups that are forgotten, and check those that are kept",
        "Writes to the list of backups and deletes below backups/ in the bucket, and nowhere\n"
        "else: the log is never pruned. Deletes nothing if the newest that is kept is not sound.\n"
        "Ends with 1 if a backup is not as it should be.",
        "python cli.py prune",
    )
    prune.add_argument("--json", action="store_true", help=_FOR_PROGRAMS)

    from_csv = add(
        "rebuild-from-csv",
        lambda options, bar: backups.rebuild_from_csv(bar, options.to),
        "build the predictions again from the readable copies alone",
        "Writes one new plain SQLite file from what is below csv/ in the bucket alone.\n"
        "Done again it gives the same predictions, none of them twice. The copies say neither\n"
        "results nor when a run was saved, so no past game counts as predicted in time.\n"
        "What a restore took away has its copies still and comes back; what was imported has none.",
        "python cli.py rebuild-from-csv --to predictions.db",
    )
    from_csv.add_argument("--to", type=Path, required=True, metavar="FILE")
