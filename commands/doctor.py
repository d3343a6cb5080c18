"""The doctor: what is wrong with settings, store and log, what mends it, and mending the log."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from commands.exit_codes import ExitCode
from commands.opening import read_settings_here
from jobs.authority import OWNER
from jobs.clock import system_clock
from jobs.configuration import FolderSettings, Settings
from jobs.doctor import examine_all, opened_for_repair
from jobs.errors import ConfigurationError
from jobs.findings import Examination, FindingLevel
from jobs.iam_policy import policy_json
from jobs.state import has_history
from replica import Repair

__all__ = ["doctor", "policy"]


def doctor(*, repair: bool, others: Sequence[Path], as_json: bool) -> ExitCode:
    """Examine everything, after putting damaged entries back if asked to; FAILED for a problem."""
    if others and not repair:
        print("--from is for --repair.", file=sys.stderr)
        return ExitCode.WRONG_USAGE
    settings = read_settings_here()
    repairs = _repaired(settings, others) if repair else None
    found = examine_all(OWNER, settings, clock=system_clock, randomness=random.Random())
    if as_json:
        print(json.dumps(_facts(found, repairs), indent=2))
    else:
        print("\n".join([*_repair_lines(repairs), *_lines(found)]))
    return ExitCode.DONE if found.is_healthy else ExitCode.FAILED


def policy() -> ExitCode:
    """Print the policy that the configured bucket's key needs. Raises ConfigurationError."""
    settings = read_settings_here()
    match settings.store:
        case ConfigurationError() as error:
            raise error
        case FolderSettings():
            print(
                "A folder needs no policy. Fill in [aws] in the secrets first: see "
                "S3_SETUP_GUIDE.md.",
                file=sys.stderr,
            )
            return ExitCode.FAILED
        case options:
            print(
                policy_json(
                    options,
                    export_bucket=settings.export_bucket,
                    image_bucket=settings.image_bucket,
                )
            )
    return ExitCode.DONE


def _repaired(settings: Settings, others: Sequence[Path]) -> tuple[Repair, ...]:
    if not has_history(settings):
        return ()
    with opened_for_repair(settings, clock=system_clock) as patient:
        return patient.repair(others)


def _repair_lines(repairs: Sequence[Repair] | None) -> Iterator[str]:
    if repairs is None:
        return
    for mended in repairs:
        yield f"Put back #{mended.sequence} ({mended.source})"
    if not repairs:
        yield "No entry had to be put back."


def _lines(found: Examination) -> Iterator[str]:
    for one in found.findings:
        yield f"{one.level.value:<8} {one.subject.value}: {one.says}"
        if one.fix:
            yield f"{'':<8} Fix: {one.fix}"
    counts = [
        f"{len(some)} {level.value}{'' if len(some) == 1 else 's'}"
        for level in (FindingLevel.PROBLEM, FindingLevel.WARNING)
        if (some := found.of(level))
    ]
    yield f"{', '.join(counts)}." if counts else "Nothing is wrong."


def _facts(found: Examination, repairs: Sequence[Repair] | None) -> dict[str, object]:
    return {
        "is_healthy": found.is_healthy,
        "findings": [
            {
                "subject": one.subject.value,
                "level": one.level.value,
                "says": one.says,
                "fix": one.fix,
            }
            for one in found.findings
        ],
        "repairs": [
            {"sequence": mended.sequence, "source": mended.source} for mended in repairs or ()
        ],
    }
