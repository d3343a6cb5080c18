"""Who may act: checked where the action happens, whichever way it is reached."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

import argon2
import pandas as pd
import pytest

from jobs.application import Application
from jobs.authority import (
    FAILURE_WINDOW,
    MAXIMUM_FAILURES,
    OWNER,
    VISITOR,
    Actor,
    PasswordGate,
    Role,
    actor_of_claims,
    hash_password,
    require_owner,
    sign_in_remedy,
)
from jobs.backups import Backups
from jobs.configuration import OwnerSettings
from jobs.drill import Drills
from jobs.errors import ConfigurationError, NotPermitted, TooManyAttempts
from jobs.restoring import Restoring, from_sequence
from nba.availability import Availability, PlayerAvailability
from replica.stores.folder import FolderStore
from tests.app_process import CHECKOUT
from tests.applications import COUNTED_TABLES, count_rows, published, running, settings_for
from tests.stores import ManualClock

LISTED = OwnerSettings(emails=frozenset({"me@example.com"}))
TONIGHT = date(2026, 11, 20)
ARGUMENTS: dict[str, Any] = {
    "slate_date": TONIGHT,
    "progress": lambda share, words: None,
    "folder": Path("responses"),
    "changes": [PlayerAvailability(1, Availability.OUT, TONIGHT, None, "")],
    "frame": pd.DataFrame({"game_date": ["2026-11-20"]}),
    "source": "test.csv",
    "key": "backups/2026-11-20T18-00-00Z-manual.db.zst",
    "to": Path("copy.db"),
    "choice": from_sequence(1),
    # Nobody gets so far as to look at it.
    "planned": None,
}
SAID_BY_BROWSERS = {"headers", "cookies", "ip_address"}
# Made once and with little memory: the hash itself is the library's business.
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash("right")


def test_the_owner_passes_and_a_visitor_learns_what_to_do() -> None:
    require_owner(OWNER, "back up", LISTED)
    with pytest.raises(NotPermitted) as caught:
        require_owner(VISITOR, "back up", LISTED)
    assert caught.value.key == "back up"
    assert caught.value.remedy == sign_in_remedy(LISTED)


def test_an_actor_made_before_a_reload_of_the_code_keeps_the_role() -> None:
    assert Actor(Role("owner")).is_owner
    assert not Actor(Role("visitor")).is_owner


@pytest.mark.parametrize(
    ("owner", "word"),
    [
        (LISTED, "address"),
        (OwnerSettings(password_hash=HASH), "password"),
        (OwnerSettings(), "S3_SETUP_GUIDE.md"),
    ],
)
def test_the_remedy_fits_the_configuration(owner: OwnerSettings, word: str) -> None:
    assert word in sign_in_remedy(owner)


@pytest.mark.parametrize(
    ("claims", "actor"),
    [
        ({"email": "me@example.com", "email_verified": True}, OWNER),
        ({"email": "me@example.com"}, VISITOR),
        ({"email": " ME@Example.COM ", "email_verified": True}, OWNER),
        ({"email": "me@example.com", "email_verified": False}, VISITOR),
        ({"email": "me@example.com", "email_verified": None}, VISITOR),
        ({"email": "me@example.com", "email_verified": "false"}, VISITOR),
        ({"email": "you@example.com", "email_verified": True}, VISITOR),
        ({"email": "me@example.com.evil.org"}, VISITOR),
        ({"email": ["me@example.com"]}, VISITOR),
        ({"email": None}, VISITOR),
        ({"email": ""}, VISITOR),
        ({"name": "me@example.com"}, VISITOR),
        ({}, VISITOR),
    ],
)
def test_claims_make_an_owner_only_by_a_listed_address(
    claims: dict[str, object], actor: Actor
) -> None:
    assert actor_of_claims(LISTED, claims) == actor


def test_an_empty_list_makes_nobody_the_owner() -> None:
    assert actor_of_claims(OwnerSettings(), {"email": ""}) == VISITOR
    assert actor_of_claims(OwnerSettings(), {"email": "me@example.com"}) == VISITOR


def test_the_right_password_opens_and_a_wrong_one_does_not() -> None:
    gate = PasswordGate(ManualClock())
    assert gate.check("right", HASH)
    assert not gate.check("wrong", HASH)
    assert not gate.check("", HASH)


def test_a_hash_is_argon2_and_never_the_same_twice() -> None:
    first, second = hash_password("right"), hash_password("right")
    assert first.startswith("$argon2id$")
    assert first != second
    assert PasswordGate(ManualClock()).check("right", first)


def test_guessing_is_stopped_for_a_while() -> None:
    clock = ManualClock()
    gate = PasswordGate(clock)
    for _ in range(MAXIMUM_FAILURES):
        assert not gate.check("wrong", HASH)
        clock.advance(minutes=1)
    with pytest.raises(TooManyAttempts, match="Try again in 10 minutes"):
        gate.check("right", HASH)
    clock.advance(minutes=9, seconds=59)
    with pytest.raises(TooManyAttempts, match=r"Try again in 1 minute\."):
        gate.check("right", HASH)
    clock.advance(seconds=1)
    assert gate.check("right", HASH)
    # One more attempt came free, not five.
    assert not gate.check("wrong", HASH)
    with pytest.raises(TooManyAttempts):
        gate.check("right", HASH)


def test_attempts_while_stopped_do_not_make_it_longer() -> None:
    clock = ManualClock()
    gate = PasswordGate(clock)
    for _ in range(MAXIMUM_FAILURES):
        gate.check("wrong", HASH)
    for _ in range(20):
        with pytest.raises(TooManyAttempts):
            gate.check("wrong", HASH)
    clock.now += FAILURE_WINDOW
    assert gate.check("right", HASH)


@pytest.mark.parametrize("broken", ["$argon2id$", "$argon2id$v=19$m=64,t=1,p=1$x", "plain", ""])
def test_a_broken_hash_is_the_owners_to_mend(broken: str) -> None:
    gate = PasswordGate(ManualClock())
    for _ in range(MAXIMUM_FAILURES + 1):
        with pytest.raises(ConfigurationError, match=r"cli\.py hash-password"):
            gate.check("right", broken)


def owners_jobs() -> list[str]:
    """Every method of the application, and of what hangs on it, that asks who is acting."""
    rooms: dict[str, type] = {
        "": Application,
        "backup_jobs.": Backups,
        "drills.": Drills,
        "restoring.": Restoring,
    }
    return [
        room + name
        for room, kind in rooms.items()
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and list(inspect.signature(method).parameters)[1:2] == ["actor"]
    ]


def test_what_changes_the_state_asks_who_is_acting() -> None:
    assert {
        "back_up",
        "backup_jobs.forget",
        "backup_jobs.make",
        "backup_jobs.prune",
        "backup_jobs.rebuild",
        "drills.run",
        "import_results",
        "log_replay",
        "restoring.restore",
        "revise",
        "sync_now",
        "take_over_from_store",
    } <= set(owners_jobs())


def test_who_is_looking_is_never_read_from_what_a_browser_says_of_itself() -> None:
    """Hosts, addresses and headers are whatever a visitor, or a proxy before the app, writes."""
    for folder in ("jobs", "ui", "pages"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute):
                    assert node.attr not in SAID_BY_BROWSERS, f"{path}:{node.lineno}"
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert "trustedUserHeaders" not in config["server"]


@pytest.fixture(scope="module")
def deployed(
    reference_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Application, FolderStore]]:
    folder = tmp_path_factory.mktemp("deployed")
    settings = settings_for(folder / "state", reference_path)
    with running(replace(settings, owner=LISTED)) as application:
        published(application)
        yield application, FolderStore(folder / "store")


@pytest.mark.parametrize("name", owners_jobs())
def test_a_visitor_who_reaches_an_owners_job_changes_nothing(
    name: str, deployed: tuple[Application, FolderStore]
) -> None:
    application, store = deployed
    job = attrgetter(name)(application)
    parameters = inspect.signature(job).parameters.values()
    needed = [one.name for one in list(parameters)[1:] if one.default is one.empty]
    before = store.list(""), [count_rows(application, table) for table in COUNTED_TABLES]
    assert before[0]
    with pytest.raises(NotPermitted, match="Sign in with an address"):
        job(VISITOR, *(ARGUMENTS[parameter] for parameter in needed))
    after = store.list(""), [count_rows(application, table) for table in COUNTED_TABLES]
    assert after == before
    status = application.saved_state().status
    assert status is not None
    assert status.pending_transactions == 0
