"""NBA Daily without a browser: look at the state, save it, restore it.

Settings come from `.streamlit/secrets.toml` and the environment, as for the app.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import random
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.application import Application
from jobs.authority import OWNER, hash_password
from jobs.clock import system_clock
from jobs.configuration import CHECKOUT, Settings, read_settings
from jobs.doctor import opened_for_repair
from jobs.errors import EXPLAINED, ConfigurationError, NotReady
from jobs.saved import Level, SavedLine, describe
from jobs.state import Moment, has_history, open_storage

__all__ = ["main"]

PREPARATION_SECONDS = 600.0
NOTHING_SAVED = "Nothing has been saved yet"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 failed (for `status`: not saved), 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except EXPLAINED as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python cli.py", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    status = commands.add_parser("status", help="say whether the history is saved")
    status.add_argument("--json", action="store_true", help="for other programs")
    status.set_defaults(run=_status)

    sync = commands.add_parser("sync", help="log tonight if that is due, and save what is pending")
    sync.set_defaults(run=_sync)

    backup = commands.add_parser("backup", help="save, and keep a copy below backups/")
    backup.set_defaults(run=_backup)

    restore = commands.add_parser("restore", help="write the saved state to a file")
    restore.add_argument("--to", type=Path, required=True, metavar="FILE")
    restore.add_argument(
        "--at",
        type=_moment,
        metavar="MOMENT",
        help="as it was at a log entry (its number) or a time (2026-11-20T18:00Z); else the newest",
    )
    restore.set_defaults(run=_restore)

    doctor = commands.add_parser(
        "doctor", help="say what is wrong with the saved log, and put damaged entries back"
    )
    doctor.add_argument(
        "--repair",
        action="store_true",
        help="put entries back from this machine's copies or the bucket's older versions",
    )
    doctor.add_argument(
        "--from",
        dest="others",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="another machine's nba_stats.db, which keeps entries too; may be repeated",
    )
    doctor.set_defaults(run=_doctor)

    password = commands.add_parser(
        "hash-password", help="make the line for [owner] password_hash; asks for the password"
    )
    password.set_defaults(run=_hash_password)
    return parser


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


def _settings() -> Settings:
    secrets: dict[str, Any] | ConfigurationError
    try:
        secrets = _secrets()
    except (OSError, ValueError):
        secrets = ConfigurationError(
            "read the secrets",
            "secrets.toml",
            "The file cannot be read or is not valid TOML.",
            "Compare it with .streamlit/secrets.example.toml.",
        )
    # Whoever can run this has the keys: the shell's user is the owner.
    return read_settings(secrets, os.environ, ["--local-owner"])


def _secrets() -> dict[str, Any]:
    """What Streamlit would find: the home folder's file, overlaid by the checkout's."""
    secrets: dict[str, Any] = {}
    for folder in (Path.home(), CHECKOUT):
        path = folder / ".streamlit" / "secrets.toml"
        if path.exists():
            secrets |= tomllib.loads(path.read_text(encoding="utf-8"))
    # Streamlit makes environment variables of what stands outside of tables.
    os.environ.update({name: word for name, word in secrets.items() if isinstance(word, str)})
    return secrets


@contextmanager
def _prepared() -> Iterator[Application]:
    application = Application(_settings(), clock=system_clock, generator=random.Random())
    application.start(ticks=False)
    try:
        now = application.wait_until_prepared(timeout_seconds=PREPARATION_SECONDS)
        if not now.state_ready:
            raise (
                now.reference_error
                or now.state_error
                or NotReady(
                    "prepare",
                    "state",
                    "It took longer than ten minutes.",
                    "Look at the network and disk.",
                )
            )
        yield application
    finally:
        application.close()


def _status(options: argparse.Namespace) -> int:
    if has_history(_settings()):
        with _prepared() as application:
            saved = application.saved_state()
        line, status = describe(saved), saved.status
    else:
        # Opening would begin a log, and somebody only wants to look.
        line, status = SavedLine(Level.SAVED, NOTHING_SAVED), None
    facts = {
        "level": line.level.value,
        "headline": line.headline,
        "details": line.details,
        "remedies": line.remedies,
        "sequence": status.sequence if status else None,
        "pending": status.pending_transactions if status else None,
    }
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        print("\n".join([line.headline, *line.details, *line.remedies]))
    return int(line.level is Level.PROBLEM)


def _sync(_: argparse.Namespace) -> int:
    with _prepared() as application:
        application.tick()
        application.sync_now(OWNER)
        saved = application.saved_state()
    if saved.job_error is not None:
        raise saved.job_error
    print(describe(saved).headline)
    return 0


def _backup(_: argparse.Namespace) -> int:
    with _prepared() as application:
        backup = application.back_up(OWNER)
    print(f"{backup.key} ({backup.size_bytes:,} bytes)")
    return 0


def _restore(options: argparse.Namespace) -> int:
    if options.to.exists():
        print(f"{options.to} exists already. Name a new file.", file=sys.stderr)
        return 1
    if not open_storage(_settings()).download_database(options.to, options.at):
        print(f"{NOTHING_SAVED}. Start the app, or run `python cli.py sync`.", file=sys.stderr)
        return 1
    print(options.to)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    if options.others and not options.repair:
        print("--from is for --repair.", file=sys.stderr)
        return 2
    settings = _settings()
    if not has_history(settings):
        print(NOTHING_SAVED)
        return 0
    with opened_for_repair(settings, clock=system_clock) as patient:
        if options.repair:
            repairs = patient.repair(options.others)
            for repair in repairs:
                print(f"Put back #{repair.sequence} ({repair.source})")
            if not repairs:
                print("No entry had to be put back.")
        examination = patient.examine()
    print("\n".join(examination.findings))
    return int(not examination.is_healthy)


def _hash_password(_: argparse.Namespace) -> int:
    password = getpass.getpass("Password: ")
    if len(password) < 8:
        print("Use at least eight characters.", file=sys.stderr)
        return 1
    if password != getpass.getpass("Again: "):
        print("The two differ.", file=sys.stderr)
        return 1
    print(f'[owner]\npassword_hash = "{hash_password(password)}"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
