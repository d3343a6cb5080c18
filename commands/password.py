"""The owner's password, as a line for the secrets."""

from __future__ import annotations

import getpass
import sys

from commands.exit_codes import ExitCode
from jobs.authority import hash_password

__all__ = ["make_password_line"]

_LEAST_CHARACTERS = 8


def make_password_line() -> ExitCode:
    """Ask for a password twice and print its hash."""
    try:
        password = getpass.getpass("Password, at least eight characters: ")
        if len(password) < _LEAST_CHARACTERS:
            print("Use at least eight characters.", file=sys.stderr)
            return ExitCode.FAILED
        again = getpass.getpass("Again: ")
    except EOFError:
        print("The password is asked for twice, and nothing came.", file=sys.stderr)
        return ExitCode.FAILED
    if password != again:
        print("The two differ.", file=sys.stderr)
        return ExitCode.FAILED
    print(f'[owner]\npassword_hash = "{hash_password(password)}"')
    return ExitCode.DONE
