"""The Setup page without a browser: the owner examines, a visitor is told to sign in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.authority import VISITOR
from jobs.configuration import OwnerSettings
from jobs.errors import ConfigurationError, NotPermitted
from jobs.examination import examine
from jobs.iam_policy import policy_document
from tests.app_process import CHECKOUT
from tests.applications import AFTERNOON, published, running, settings_for
from tests.servers import s3_options
from tests.stores import ManualClock
from ui.runtime import install_application

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "no_application_is_left")

APP_SECONDS = 60.0
HEADERS = ["Settings", "Examination"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def application(tmp_path: Path, reference_path: Path, clock: ManualClock) -> Iterator[Application]:
    """A prepared application on a folder, with tonight logged, that pages find."""
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        published(application)
        install_application(application)
        yield application


def opened() -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    return require_page(test.switch_page("pages/setup.py").run())


def require_page(test: AppTest) -> AppTest:
    assert not test.exception
    assert [title.value for title in test.title] == ["Setup"]
    return test


def examined(test: AppTest) -> AppTest:
    [button] = [one for one in test.main.button if one.label == "Examine"]
    return require_page(button.click().run())


def everything(test: AppTest) -> str:
    """All words of the page, its tables included, as they are read."""
    told = [one.value for one in (*test.main.markdown, *test.main.caption, *test.main.code)]
    told += [one.value for one in (*test.main.error, *test.main.warning, *test.main.info)]
    told += [one.value.to_string() for one in test.main.table]
    return "\n".join(told).replace("\\", "")


def settings_table(test: AppTest) -> dict[str, str]:
    table = test.main.table[0].value
    values = [text.replace("\\", "") for text in table["Value"]]
    return dict(zip(table["Setting"], values, strict=True))


def test_the_owner_of_a_folder(application: Application, tmp_path: Path) -> None:
    test = opened()
    assert [one.value for one in test.main.header] == [*HEADERS, "A bucket"]
    assert settings_table(test) == {
        "Store": f"a folder of this machine: {tmp_path / 'store'}",
        "Timer": "off",
        "Sources of results": "none",
        "Backups": "only when asked for",
        "Owner": "whoever uses this machine",
        "Pictures": "drawn here: no host is chosen",
    }
    [timer] = [one.value for one in test.main.warning]
    assert "The timer is off" in timer
    assert "[aws]" in test.main.code[0].value
    assert len(test.main.table) == 1, "nothing was examined yet"

    test = examined(test)
    fine = test.main.table[1].value
    assert list(fine["In order"]) == [
        "Settings",
        "Listing",
        "Reaching the store",
        "Writing",
        "Reading",
        "Creating only once",
        "Deleting old copies",
        "Log",
    ]
    assert "Followed to #2, 0 waiting here." in everything(test)
    assert "20 Nov 2026, 3:00 PM EST: 1 warning." in everything(test)
    assert not test.main.error


def test_the_owner_of_a_bucket(
    tmp_path: Path,
    reference_path: Path,
    clock: ManualClock,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
) -> None:
    options = s3_options(
        moto_endpoint,
        new_bucket(moto_endpoint),
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="a-secret-that-nobody-sees",
    )
    settings = settings_for(tmp_path / "a", reference_path, options)
    with running(settings, clock) as application:
        published(application)
        install_application(application)
        test = opened()
        assert [one.value for one in test.main.header] == [*HEADERS, "Policy of the access key"]
        table = settings_table(test)
        assert table["Store"] == f"the bucket {options.bucket}"
        assert table["Service"] == "127.0.0.1"
        assert table["Encryption asked for"] == "AES256"
        assert json.loads(test.main.code[0].value) == policy_document(options)

        test = examined(test)
        [public] = [one.value for one in test.main.error]
        assert "everybody can read the bucket" in public
        assert "To mend it: Switch on Block all public access" in public
        assert len([one for one in test.main.warning if "Versioning is off" in one.value]) == 1
        told = everything(test)
        assert "1 problem and " in told
        for secret in ("AKIA", "nobody-sees"):
            assert secret not in told
        # It stays until the next one, also when the page is drawn anew.
        assert require_page(test.run()).main.error


def test_settings_that_cannot_be_used(
    tmp_path: Path, reference_path: Path, clock: ManualClock
) -> None:
    settings = settings_for(tmp_path / "a", reference_path)
    problem = ConfigurationError("read the secrets", "[aws]", "Missing: region.", "Fill it in.")
    with running(replace(settings, store=problem), clock) as application:
        install_application(application)
        test = opened()
        [error] = [one.value.replace("\\", "") for one in test.main.error]
        assert error == "**Settings**: [aws]: Missing: region.\n\nTo mend it: Fill it in."
        assert settings_table(test)["Store"] == "not usable"
        test = examined(test)
        assert len(test.main.error) == 2


def test_commands_stand_there_without_marks(
    tmp_path: Path, reference_path: Path, clock: ManualClock
) -> None:
    """What is set in backticks on a command line would be shown with them."""
    settings = settings_for(tmp_path / "a", reference_path)
    problem = ConfigurationError("read the secrets", "[aws]", "`x` is wrong.", "Run `cli.py`.")
    with running(replace(settings, store=problem), clock) as application:
        install_application(application)
        told = everything(opened())
        assert "[aws]: x is wrong.\n\nTo mend it: Run cli.py." in told
        # That of the timer, which is off.
        assert "run python cli.py daily from a scheduler" in told
        assert "`" not in told


def test_a_visitor_is_told_to_sign_in(application: Application, tmp_path: Path) -> None:
    application.settings = replace(
        application.settings, owner=OwnerSettings(password_hash="$argon2")
    )
    test = opened()
    [told] = [one.value for one in test.main.info]
    assert told == "This page is the owner's. Sign in with the owner's password."
    assert not test.main.header
    assert not test.main.table
    assert not test.main.button
    assert str(tmp_path) not in everything(test)


def test_a_visitor_examines_nothing_by_another_way(application: Application) -> None:
    settings = replace(application.settings, owner=OwnerSettings())
    with pytest.raises(NotPermitted):
        examine(VISITOR, settings, Random())
