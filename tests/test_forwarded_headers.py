"""A stranger of a deployed app stays one, whatever host, header or cookie he sends.

He speaks Streamlit's own protocol, so that he can also press what he is not shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw
import argon2
import pytest
from streamlit.web.server.starlette.starlette_app_utils import (
    create_signed_value,
    generate_xsrf_token_string,
)
from websockets.exceptions import InvalidHandshake

from tests.app_process import wait_for, wait_for_entry
from tests.applications import COUNTED_TABLES
from tests.sites import NOW, Site, running_site
from tests.streamlit_socket import Press, Screen, SocketVisitor, filled, pressed, visiting

OWNER_ADDRESS = "me@example.com"
PASSWORD = "a long enough password"
PUBLIC_HOST = "nba.example.com"

# By page: what only the owner is shown there.
OWNERS_BUTTONS = {
    "": {"Log a revision"},
    "sync": {"Sync now", "Back up now"},
    "backups": {"Back up now", "Run a drill now"},
}

FORWARDED: dict[str, Mapping[str, str]] = {
    "nothing": {},
    "this machine": {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "localhost",
        "X-Forwarded-Server": "localhost",
        "X-Forwarded-Proto": "https",
        "X-Real-IP": "127.0.0.1",
        "X-Client-IP": "::1",
        "True-Client-IP": "127.0.0.1",
        "CF-Connecting-IP": "127.0.0.1",
        "Forwarded": 'for=127.0.0.1;by="[::1]";host=localhost;proto=https',
        "Via": "1.1 localhost",
    },
    "a proxy's word": {
        "Remote-User": OWNER_ADDRESS,
        "X-Remote-User": OWNER_ADDRESS,
        "X-Forwarded-User": OWNER_ADDRESS,
        "X-Forwarded-Email": OWNER_ADDRESS,
        "X-Auth-Request-Email": OWNER_ADDRESS,
        "X-Streamlit-User": OWNER_ADDRESS,
        "X-Goog-Authenticated-User-Email": f"accounts.google.com:{OWNER_ADDRESS}",
        "Cf-Access-Authenticated-User-Email": OWNER_ADDRESS,
        "Authorization": "Basic b3duZXI6b3duZXI=",
    },
}


@dataclass(frozen=True)
class Deployed:
    """A site that strangers reach, and what its owner finds on it."""

    site: Site
    owners: Mapping[str, Mapping[str, Press]]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Iterator[Deployed]:
    # As weak as the library allows: the strength of a hash is not what is tested.
    password_hash = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    secrets = f"""
        [owner]
        emails = ["{OWNER_ADDRESS}"]
        password_hash = "{password_hash}"
        [auth]
        redirect_uri = "https://{PUBLIC_HOST}/oauth2callback"
        cookie_secret = "only the server knows this"
        client_id = "an app"
        client_secret = "also only the server's"
        server_metadata_url = "https://id.example.com/.well-known/openid-configuration"
    """
    folder = tmp_path_factory.mktemp("deployed")
    with running_site(folder, reference_path, arguments=("--now", NOW), secrets=secrets) as site:
        wait_for_entry(site.store, 2, site.app.log)
        wait_for(lambda: site.store.list("csv/"), what="the readable copy")
        yield Deployed(site, what_the_owner_finds(site.url))


def what_the_owner_finds(url: str) -> dict[str, dict[str, Press]]:
    """Every button of the owner, by page and label, in a session that has signed in."""
    found: dict[str, dict[str, Press]] = {}
    with visiting(url) as owner:
        for page, labels in OWNERS_BUTTONS.items():
            screen = owner.look(page)
            if not labels <= set(screen.buttons):
                screen = signed_in(owner, page, screen)
            assert labels <= set(screen.buttons)
            found[page] = {label: screen.buttons[label] for label in labels}
    return found


def signed_in(visitor: SocketVisitor, page: str, screen: Screen) -> Screen:
    field, button = screen.fields["Owner's password"], screen.buttons["Sign in"]
    return visitor.look(page, filled(field, PASSWORD), pressed(button))


def stored(site: Site) -> object:
    """All that a stranger could have changed: the store, and the rows of the working copy."""
    [path] = (site.checkout.parent / "state").rglob("nba_stats.db")
    connection = apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)
    try:
        rows = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchall()
            for table in (*COUNTED_TABLES, "replica_outbox", "availability")
        ]
    finally:
        connection.close()
    return site.store.list(""), rows


def attack(visitor: SocketVisitor, deployed: Deployed) -> None:
    """Look at each page, then press what the owner would find there; nothing may come of it."""
    before = stored(deployed.site)
    for page, labels in OWNERS_BUTTONS.items():
        screen = visitor.look(page)
        assert screen.headings
        assert screen.failures == []
        assert labels.isdisjoint(screen.buttons)
        for press in deployed.owners[page].values():
            for fragment_id in {"", press.fragment_id}:
                screen = visitor.look(page, pressed(press), fragment_id=fragment_id)
                assert labels.isdisjoint(screen.buttons)
                assert not [text for text in screen.texts if "backups/" in text]
    assert stored(deployed.site) == before


@pytest.mark.parametrize("sent", FORWARDED)
def test_no_header_makes_a_stranger_the_owner(deployed: Deployed, sent: str) -> None:
    with visiting(deployed.site.url, headers=FORWARDED[sent]) as stranger:
        attack(stranger, deployed)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", PUBLIC_HOST])
def test_no_host_makes_a_stranger_the_owner(deployed: Deployed, host: str) -> None:
    headers = {**FORWARDED["this machine"], "X-Forwarded-Host": host, "Origin": f"http://{host}"}
    with visiting(deployed.site.url, host=host, headers=headers) as stranger:
        attack(stranger, deployed)


def test_the_origin_of_another_site_is_refused(deployed: Deployed) -> None:
    with (
        pytest.raises(InvalidHandshake),
        visiting(deployed.site.url, headers={"Origin": "https://evil.example.org"}),
    ):
        pass


def test_a_cookie_that_another_secret_signed_makes_nobody_the_owner(deployed: Deployed) -> None:
    claims = {
        "origin": f"https://{PUBLIC_HOST}",
        "is_logged_in": True,
        "email": OWNER_ADDRESS,
        "email_verified": True,
    }
    token = generate_xsrf_token_string()
    for secret in ("", "secret", "another secret than the server's"):
        user = create_signed_value(secret, "_streamlit_user", json.dumps(claims)).decode()
        headers = {
            "Origin": f"https://{PUBLIC_HOST}",
            "Cookie": f"_streamlit_xsrf={token}; _streamlit_user={user}",
        }
        with visiting(
            deployed.site.url, host=PUBLIC_HOST, headers=headers, protocols=("streamlit", token)
        ) as stranger:
            attack(stranger, deployed)


def test_the_owner_can_do_it(deployed: Deployed) -> None:
    """What the strangers press would work: the presses above are the real ones."""
    site = deployed.site
    backups = len(site.store.list("backups/"))
    with visiting(site.url) as owner:
        signed_in(owner, "sync", owner.look("sync"))
        press = deployed.owners["sync"]["Back up now"]
        screen = owner.look("sync", pressed(press), fragment_id=press.fragment_id)
        assert [text for text in screen.texts if "Backed up as backups/" in text.replace("\\", "")]
    assert len(site.store.list("backups/")) == backups + 1
