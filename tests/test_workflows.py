"""The workflows of the repository: well formed, and made of what is tested here."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.cli_fixtures import Command

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DAILY = ROOT / ".github" / "workflows" / "daily.yml"
SECRETS = {
    "S3_BACKUP_BUCKET",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ENDPOINT_URL_S3",
    "S3_EXPORT_BUCKET",
}


def parsed(path: Path) -> dict[str, Any]:
    found = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def daily_steps() -> list[dict[str, Any]]:
    steps = parsed(DAILY)["jobs"]["daily"]["steps"]
    assert isinstance(steps, list)
    return steps


def check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    words = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.name))
def test_workflows_fit_githubs_schema(path: Path) -> None:
    answer = check_schema(path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_workflow_that_does_not_fit_is_found(tmp_path: Path) -> None:
    text = DAILY.read_text(encoding="utf-8")
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace("timeout-minutes: 30", "timeout-minutes: soon"))
    assert check_schema(broken).returncode != 0


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.name))
def test_workflows_may_only_read_and_end_by_themselves(path: Path) -> None:
    workflow = parsed(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_the_daily_job_never_cancels_one_that_runs() -> None:
    workflow = parsed(DAILY)
    assert workflow["concurrency"] == {"group": "daily", "cancel-in-progress": False}
    assert "workflow_dispatch" in workflow["on"]


@pytest.mark.parametrize("offset_hours", [-4, -5], ids=["summer", "winter"])
def test_the_daily_job_runs_after_the_night_and_before_the_evening(offset_hours: int) -> None:
    crons = [one["cron"].split() for one in parsed(DAILY)["on"]["schedule"]]
    assert all(rest == ["*", "*", "*"] for _, _, *rest in crons)
    hours = [int(hour) + int(minute) / 60 + offset_hours for minute, hour, *_ in crons]
    morning, afternoon = hours
    # From six on tonight is today's slate; the earliest games begin at noon, most after seven.
    assert 6 < morning < 9
    assert 12 < afternoon < 15


def test_the_daily_job_takes_its_secrets_and_shows_none() -> None:
    env = parsed(DAILY)["jobs"]["daily"]["env"]
    assert env == {name: f"${{{{ secrets.{name} }}}}" for name in SECRETS}
    # In a script they would be pasted into the shell's own words.
    assert not any("secrets." in step.get("run", "") for step in daily_steps())


def run_guard(tmp_path: Path, bucket: str) -> tuple[str, str]:
    """What the first step prints and gives to the others."""
    guard = daily_steps()[0]
    output = tmp_path / "output"
    output.touch()
    answer = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", guard["run"]],
        env={
            "PATH": os.environ["PATH"],
            "S3_BACKUP_BUCKET": bucket,
            "GITHUB_OUTPUT": str(output),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout, output.read_text(encoding="utf-8")


def test_without_a_bucket_it_says_so_and_does_nothing(tmp_path: Path) -> None:
    said, given = run_guard(tmp_path, "")
    assert said.startswith("::notice ")
    assert "S3_BACKUP_BUCKET is not set" in said
    assert given == ""
    assert daily_steps()[0]["id"] == "bucket"
    assert all("steps.bucket.outputs.given == 'yes'" in step["if"] for step in daily_steps()[1:])


def test_with_a_bucket_it_goes_on(tmp_path: Path) -> None:
    assert run_guard(tmp_path, "my-predictions") == ("", "given=yes\n")


def test_its_steps_are_commands_that_work(command: Command, tmp_path: Path) -> None:
    scripts = [step["run"] for step in daily_steps()[1:] if "run" in step]
    install, *jobs = scripts
    assert install == "python -m pip install -r requirements.txt"
    assert jobs == ["python cli.py daily", "python cli.py status"]
    for _ in range(2):
        for job in jobs:
            python, script, *words = shlex.split(job)
            assert (python, script) == ("python", "cli.py")
            answer = command(*words)
            assert answer.returncode == 0, answer.stderr
            assert "Traceback" not in answer.stderr
    told = json.loads(command("status", "--json").stdout)
    assert (told["level"], told["pending"]) == ("saved", 0)
    assert list((tmp_path / "store" / "log").iterdir())


def test_the_actions_are_those_of_continuous_integration() -> None:
    used = {
        path.name: set(re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8")))
        for path in WORKFLOWS
    }
    assert used["daily.yml"] == used["ci.yml"]
