"""Who may act. Anyone may look and download; what changes the state is the owner's.

The check stands where the action happens: each owner's job takes an `Actor` and calls
`require_owner` first, so that reaching the job by another way than its button changes nothing.
"""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from jobs.configuration import OwnerSettings
from jobs.errors import ConfigurationError, NotPermitted, TooManyAttempts

__all__ = [
    "OWNER",
    "VISITOR",
    "Actor",
    "PasswordGate",
    "Role",
    "actor_of_claims",
    "hash_password",
    "require_owner",
    "sign_in_remedy",
]

MAXIMUM_FAILURES = 5
FAILURE_WINDOW = timedelta(minutes=15)


class Role(enum.Enum):
    """What a person is to this app."""

    VISITOR = "visitor"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Actor:
    """The person behind a request.

    Attributes:
        role: visitor or owner.
    """

    role: Role

    @property
    def is_owner(self) -> bool:
        # By value: a reload of the code makes new enum members of the same meaning.
        return self.role.value == Role.OWNER.value


VISITOR = Actor(Role.VISITOR)
OWNER = Actor(Role.OWNER)


def sign_in_remedy(owner: OwnerSettings) -> str:
    """What has to happen before owner's actions are possible, a full sentence."""
    if owner.emails:
        return "Sign in with an address that is on the owner's list."
    if owner.password_hash is not None:
        return "Sign in with the owner's password."
    return (
        "No owner is configured: set [owner] emails with [auth], or [owner] password_hash, in the "
        "app's secrets (see S3_SETUP_GUIDE.md)."
    )


def require_owner(actor: Actor, action: str, owner: OwnerSettings) -> None:
    """Let the owner pass.

    Raises:
        NotPermitted: the actor is not the owner; the remedy says how to become it.
    """
    if not actor.is_owner:
        raise NotPermitted("act as owner", action, "This is the owner's.", sign_in_remedy(owner))


def hash_password(password: str) -> str:
    """An argon2id hash to put into `[owner] password_hash`."""
    return argon2.PasswordHasher().hash(password)


class PasswordGate:
    """Checks the owner's password, slowing down whoever guesses.

    Failures are counted for the whole process, not per browser session: a new session costs a
    guesser nothing.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._failures: deque[datetime] = deque(maxlen=MAXIMUM_FAILURES)
        self._lock = threading.Lock()

    def check(self, password: str, password_hash: str) -> bool:
        """True if the password is right.

        Raises:
            TooManyAttempts: five failures within 15 minutes; nothing was checked.
            ConfigurationError: the configured hash cannot be read.
        """
        # One check at a time: the hash is made to need much memory.
        with self._lock:
            now = self._clock()
            full = len(self._failures) == MAXIMUM_FAILURES
            if full and now - self._failures[0] < FAILURE_WINDOW:
                wait = self._failures[0] + FAILURE_WINDOW - now
                minutes = -(-wait // timedelta(minutes=1))
                raise TooManyAttempts(
                    "sign in",
                    "password",
                    f"{MAXIMUM_FAILURES} wrong passwords within 15 minutes.",
                    f"Try again in {minutes} minute{'' if minutes == 1 else 's'}.",
                )
            try:
                return argon2.PasswordHasher().verify(password_hash, password)
            except VerifyMismatchError:
                self._failures.append(now)
                return False
            except (InvalidHashError, VerificationError) as error:
                raise ConfigurationError(
                    "sign in",
                    "[owner] password_hash",
                    "The configured hash cannot be read.",
                    "Make a new one with `python cli.py hash-password`.",
                ) from error


def actor_of_claims(owner: OwnerSettings, claims: Mapping[str, object]) -> Actor:
    """Who a signed-in person is, from the identity provider's claims.

    The address counts only if the provider says that it has verified it: with some, anybody can
    write anybody's address into an account.
    """
    email = claims.get("email")
    verified = claims.get("email_verified")
    if isinstance(email, str) and verified is True and email.strip().lower() in owner.emails:
        return OWNER
    return VISITOR
