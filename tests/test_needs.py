"""Tests that need what the machine lacks: skipped at home, failed in continuous integration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import require_chromium

ROOT = Path(__file__).resolve().parent.parent

MODULE = """
import pytest
from tests.needs import require_chromium, require_npm

def test_page(): require_chromium()
def test_other_page(): require_chromium()
def test_script(): require_npm()
def test_alone(): pass
@pytest.mark.xfail(reason="known", strict=True)
def test_known(): assert False
"""


def run_pytest(folder: Path, source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_inside.py").write_text(source, encoding="utf-8")
    bare = {"PATH": str(folder), "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.needs", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**bare, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "darwin", reason="Chrome has a fixed place there")
def test_at_home_each_install_line_is_printed_once(tmp_path: Path) -> None:
    outcome = run_pytest(tmp_path, MODULE)
    assert outcome.returncode == 0, outcome.stdout
    assert "1 passed, 3 skipped, 1 xfailed" in outcome.stdout
    assert outcome.stdout.count("sudo apt-get install chromium") == 1
    assert "2 skipped, needs Chromium" in outcome.stdout
    assert "1 skipped, needs npm: sudo apt-get install npm" in outcome.stdout


@pytest.mark.skipif(sys.platform == "darwin", reason="Chrome has a fixed place there")
def test_in_continuous_integration_they_fail(tmp_path: Path) -> None:
    outcome = run_pytest(tmp_path, MODULE, CI="true")
    assert outcome.returncode == 1
    assert "3 failed, 1 passed, 1 xfailed" in outcome.stdout
    assert "sudo apt-get install chromium" in outcome.stdout


def test_in_continuous_integration_a_skipped_module_fails_too(tmp_path: Path) -> None:
    source = "import pytest\npytest.importorskip('a_module_that_is_not_there')\n"
    assert run_pytest(tmp_path, source).returncode == 5
    outcome = run_pytest(tmp_path, source, CI="1")
    assert outcome.returncode not in {0, 5}
    assert "which CI does not accept" in outcome.stdout


def test_a_browser_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = tmp_path / "my-browser"
    browser.touch()
    monkeypatch.setenv("CHROMIUM", str(browser))
    assert require_chromium() == browser
    monkeypatch.setenv("CHROMIUM", os.devnull + "-not-there")
    with pytest.raises(pytest.fail.Exception, match="where there is no file"):
        require_chromium()
