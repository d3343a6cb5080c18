"""What is set, whether all of it works, and what mends what does not; for the owner only."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import pandas as pd
import streamlit as st

from jobs.authority import sign_in_remedy
from jobs.configuration import FolderSettings, Settings
from jobs.doctor import log_findings
from jobs.errors import EXPLAINED, ConfigurationError
from jobs.examination import examine, examine_settings
from jobs.findings import Examination, Finding, FindingLevel
from jobs.iam_policy import policy_json
from jobs.pictures import Pictures
from replica.stores.s3 import S3Options
from ui.formats import moment, plain
from ui.frame import Frame

__all__ = ["show_setup"]

_EXAMINATION: Final = "setup_examination"

_SECRETS: Final = """\
[aws]
access_key_id = "…"
secret_access_key = "…"
bucket_name = "your-bucket"
region = "us-east-1"
"""


@dataclass(frozen=True, slots=True)
class _Shown:
    """An examination and when it was made, kept for the session."""

    at: str
    found: Examination


def show_setup(frame: Frame) -> None:
    """Settings, an examination on demand, and the policy for the bucket's key."""
    settings = frame.application.settings
    if not frame.actor.is_owner:
        st.info(f"This page is the owner's. {plain(sign_in_remedy(settings.owner))}")
        return
    _show_settings(settings, frame.application.pictures)
    _show_examination(frame)
    _show_policy(settings)


# What is set --------------------------------------------------------------------------------------


def _show_settings(settings: Settings, pictures: Pictures) -> None:
    st.header("Settings")
    for finding in examine_settings(settings):
        if finding.fix:
            _show_finding(finding)
    for place, problem in sorted(pictures.problems.items()):
        st.warning(f"**Pictures**, {place}: {plain(str(problem))}", icon=":material/image:")
    rows = [*_rows(settings), ("Pictures", _pictures_words(settings, pictures))]
    table = pd.DataFrame(
        {
            "Setting": [name for name, _ in rows],
            "Value": [plain(value) for _, value in rows],
        }
    )
    st.table(table, border="horizontal", hide_index=True, alt="What is set")
    st.caption(
        "They come from the app's secrets and the environment; the keys themselves are shown "
        "nowhere. .streamlit/secrets.example.toml has all that can be set."
    )


def _rows(settings: Settings) -> Iterator[tuple[str, str]]:
    match settings.store:
        case ConfigurationError():
            yield "Store", "not usable"
        case FolderSettings(path=path):
            yield "Store", f"a folder of this machine: {path}"
        case options:
            yield from _bucket_rows(options)
    minutes = settings.timer_minutes
    yield "Timer", f"every {minutes:g} minutes" if minutes else "off"
    yield "Sources of results", ", ".join(settings.sources.names) or "none"
    yield "Backups", "daily" if settings.backups.daily else "only when asked for"
    yield "Owner", _owner_words(settings)


def _bucket_rows(options: S3Options) -> Iterator[tuple[str, str]]:
    yield "Store", f"the bucket {options.bucket}"
    yield "Prefix", options.prefix
    yield "Region", options.region
    if options.endpoint_url is not None:
        # The host alone: an address may hold a name and a password.
        yield "Service", urlsplit(options.endpoint_url).hostname or "unreadable endpoint_url"
    yield "Access key", "in the secrets" if options.access_key_id else "this machine's own identity"
    own = "aws:kms, with a key of your own" if options.kms_key_id else "AES256"
    yield "Encryption asked for", options.encryption or own


def _pictures_words(settings: Settings, pictures: Pictures) -> str:
    if not settings.images.hosts:
        return "drawn here: no host is chosen"
    wanted = {"players": pictures.shows_players, "teams": pictures.shows_teams}
    whose = " and ".join(name for name, are_shown in wanted.items() if are_shown)
    failing = ", not all well" if pictures.problems else ""
    return f"{whose} from {', '.join(settings.images.hosts)}; {pictures.held} here{failing}"


def _owner_words(settings: Settings) -> str:
    owner = settings.owner
    if owner.local:
        return "whoever uses this machine"
    # Not the addresses themselves: somebody may be looking over a shoulder.
    ways = ["a password"] if owner.password_hash else []
    ways += ["an account"] if owner.emails else []
    return " or ".join(ways)


# Whether it works ---------------------------------------------------------------------------------


def _show_examination(frame: Frame) -> None:
    st.header("Examination")
    st.caption(
        "Each permission is tried with small objects below probe/, which are deleted again; how "
        "the bucket is set up is only looked at. python cli.py doctor does the same."
    )
    if st.button("Examine", icon=":material/stethoscope:"):
        try:
            with st.spinner("Trying everything"):
                found = _examined(frame)
        except EXPLAINED as error:
            st.session_state.pop(_EXAMINATION, None)
            st.error(plain(str(error)))
            return
        at = moment(frame.application.clock(), frame.zone)
        st.session_state[_EXAMINATION] = _Shown(at, found)
    shown: _Shown | None = st.session_state.get(_EXAMINATION)
    if shown is not None:
        _show_findings(shown)


def _examined(frame: Frame) -> Examination:
    application = frame.application
    found = examine(frame.actor, application.settings, random.Random())
    status = application.saved_state().status
    if status is None:
        return found
    return found.joined(log_findings(status, creates_once=found.creates_once))


def _show_findings(shown: _Shown) -> None:
    found = shown.found
    problems, warnings = found.of(FindingLevel.PROBLEM), found.of(FindingLevel.WARNING)
    counts = [
        f"{len(some)} {word}{'' if len(some) == 1 else 's'}"
        for some, word in ((problems, "problem"), (warnings, "warning"))
        if some
    ]
    st.markdown(f"{plain(shown.at)}: {' and '.join(counts) or 'nothing is wrong'}.")
    for finding in (*problems, *warnings):
        _show_finding(finding)
    fine = found.of(FindingLevel.OK)
    table = pd.DataFrame(
        {
            "In order": [one.subject.value for one in fine],
            "Found": [_words(one.says) for one in fine],
        }
    )
    if fine:
        st.table(table, border="horizontal", hide_index=True, alt="What is in order")


def _show_finding(finding: Finding) -> None:
    text = f"**{finding.subject.value}**: {_words(finding.says)}"
    if finding.fix:
        text += f"\n\nTo mend it: {_words(finding.fix)}"
    if finding.level.value == FindingLevel.PROBLEM.value:
        st.error(text, icon=":material/error:")
    else:
        st.warning(text, icon=":material/warning:")


def _words(text: str) -> str:
    """As it is, without the marks that set a command apart where there is no Markdown."""
    return plain(text.replace("`", ""))


# What the key needs -------------------------------------------------------------------------------


def _show_policy(settings: Settings) -> None:
    match settings.store:
        case ConfigurationError() | FolderSettings():
            st.header("A bucket")
            st.caption(
                "A bucket outlives this machine. S3_SETUP_GUIDE.md takes you there; in the end the "
                "secrets hold this, and the page shows the policy that its key needs."
            )
            # Not in colours: Streamlit's are too pale to be read by everybody.
            st.code(_SECRETS, language=None)
        case options:
            st.header("Policy of the access key")
            st.caption(
                "What the app does in this bucket, and nothing beyond it: paste it as the policy "
                "of its user or role. MinIO takes it as it stands; Cloudflare R2 has tokens "
                "instead, with Object Read & Write for this bucket."
            )
            policy = policy_json(
                options,
                export_bucket=settings.export_bucket,
                image_bucket=settings.image_bucket,
            )
            st.code(policy, language=None)
            st.download_button(
                "Download the policy",
                policy,
                "nba-daily-policy.json",
                "application/json",
                icon=":material/download:",
                on_click="ignore",
            )
