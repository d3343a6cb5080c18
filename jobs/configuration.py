"""Settings from Streamlit secrets, environment and command-line flags, as one typed value.

Reading settings does no I/O beyond what it is handed. A wrong or half-filled setting becomes a
`ConfigurationError` that travels inside `Settings`: the app still opens, shows it and writes
nothing. Falling back to the local folder would look like success and lose the history.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import platformdirs

from jobs.backup_settings import BackupSettings, backup_settings
from jobs.errors import ConfigurationError
from jobs.export_settings import ExportSettings, export_settings
from jobs.image_settings import ImageSettings, image_settings
from jobs.secret_tables import table_of, text_of
from jobs.source_settings import SourceSettings, source_settings
from replica.stores.s3 import S3Options

__all__ = [
    "FolderSettings",
    "OwnerSettings",
    "Settings",
    "read_settings",
]

CHECKOUT = Path(__file__).resolve().parent.parent

_AWS_REQUIRED = ("access_key_id", "secret_access_key", "bucket_name", "region")
_BUCKET_KEYS = {"access_key_id", "secret_access_key", "bucket_name"}
_AWS_OPTIONAL = ("endpoint_url", "prefix", "kms_key_id", "encryption", "session_token")
_OWNER_KEYS = ("emails", "password_hash")
_APP_KEYS = ("timer_minutes",)
_TABLES = ("aws", "owner", "app", "nba", "backups", "exports", "images")
_ENCRYPTIONS = ("AES256", "aws:kms", "none")


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """The embedded store: a folder on this machine."""

    path: Path


@dataclass(frozen=True, slots=True)
class OwnerSettings:
    """Who may change things.

    Attributes:
        local: the process was started with `--local-owner`; its one user is the owner.
        emails: addresses that `st.login` may present, lower case.
        password_hash: an argon2 hash, or None.
    """

    local: bool = False
    # Neither belongs into a log line that happens to show the settings.
    emails: frozenset[str] = field(default=frozenset(), repr=False)
    password_hash: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set.

    Attributes:
        store: where the state lives, or why that cannot be told.
        owner: who may change things.
        image_bucket, export_bucket: buckets for images and exports, None = the state's bucket.
        timer_minutes: minutes between two background ticks; 0 switches the timer off.
        state_folder: where the working copy of the database and the reference are kept.
        data_folder: the bundled Parquet files.
        start_at: pretend that the process started at this moment (UTC), None = the real time.
        sources: where games and results come from.
        backups: which backups are made by themselves, and how many are kept.
        exports: where the public finds what was shared.
        images: from which hosts pictures come, if from any.
    """

    store: S3Options | FolderSettings | ConfigurationError
    owner: OwnerSettings
    image_bucket: str | None
    export_bucket: str | None
    timer_minutes: float
    state_folder: Path
    data_folder: Path
    start_at: datetime | None
    sources: SourceSettings = field(default_factory=SourceSettings)
    backups: BackupSettings = field(default_factory=BackupSettings)
    exports: ExportSettings = field(default_factory=ExportSettings)
    images: ImageSettings = field(default_factory=ImageSettings)

    @property
    def database_path(self) -> Path:
        """The working copy, one for each kind of store.

        The first secrets turn a folder into a bucket. The folder's database has no place there:
        taken for the bucket's own, it would look as if the bucket had lost everything. Another
        bucket or prefix is not told apart: that may be a mistake, and the replica notices it.
        """
        kind = "folder" if self.uses_folder else "bucket"
        return self.state_folder / kind / "nba_stats.db"

    @property
    def uses_folder(self) -> bool:
        return isinstance(self.store, FolderSettings)

    @property
    def is_deployed(self) -> bool:
        """Anything but `make run`: strangers may be looking."""
        return not self.owner.local


def read_settings(
    secrets: Mapping[str, Any] | ConfigurationError,
    environment: Mapping[str, str],
    arguments: Sequence[str],
) -> Settings:
    """Combine the three sources; secrets win over the environment.

    Args:
        secrets: the parsed secrets file, or the reason why it cannot be read.
        environment: environment variables.
        arguments: command-line words after `--`.

    Raises:
        ConfigurationError: a command-line flag is wrong. Everything that comes from secrets is
            carried in `Settings.store` instead, so that the page can show it.
    """
    flags = _parse_flags(arguments)
    problem = secrets if isinstance(secrets, ConfigurationError) else None
    tables: Mapping[str, Any] = {} if isinstance(secrets, ConfigurationError) else secrets

    owner = OwnerSettings(local=flags.local_owner)
    timer_minutes = 5.0
    sources = SourceSettings()
    backups = BackupSettings()
    exports = ExportSettings()
    images = ImageSettings()
    store: S3Options | FolderSettings | ConfigurationError
    try:
        if problem is not None:
            raise problem
        _require_tables(tables)
        owner = _owner(tables, local=flags.local_owner)
        timer_minutes = _timer_minutes(tables, environment)
        sources = source_settings(tables, environment)
        backups = backup_settings(tables, environment)
        exports = export_settings(tables, environment)
        images = image_settings(tables, environment)
        store = _store(tables, environment)
    except ConfigurationError as error:
        store = error

    state_folder = environment.get("NBA_DAILY_STATE_DIR")
    return Settings(
        store=store,
        owner=owner,
        image_bucket=environment.get("S3_IMAGE_BUCKET") or None,
        export_bucket=environment.get("S3_EXPORT_BUCKET") or None,
        timer_minutes=timer_minutes,
        state_folder=Path(state_folder) if state_folder else CHECKOUT / ".state",
        data_folder=CHECKOUT / "data",
        start_at=flags.now,
        sources=sources,
        backups=backups,
        exports=exports,
        images=images,
    )


def _parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    # Abbreviations are off: what makes somebody the owner is written out.
    parser = argparse.ArgumentParser(
        prog="streamlit_app.py --", exit_on_error=False, add_help=False, allow_abbrev=False
    )
    parser.add_argument("--local-owner", action="store_true")
    parser.add_argument("--now", type=_moment, default=None)
    try:
        flags, unknown = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise ConfigurationError(
            "read the command line",
            error.argument_name or "flags",
            f"{error.message[:1].upper()}{error.message[1:]}.",
            "Known flags: --local-owner, --now 2026-11-20T18:00:00+00:00.",
        ) from error
    if unknown:
        raise ConfigurationError(
            "read the command line",
            unknown[0],
            "This flag is not known.",
            "Known flags: --local-owner, --now MOMENT.",
        )
    return flags


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a moment") from None
    raise argparse.ArgumentTypeError(f"{text!r} has no time zone")


def _require_tables(tables: Mapping[str, Any]) -> None:
    """Refuse what was meant as a table of ours: passed over, it would leave the folder."""
    for name in tables:
        meant = name.strip().lower()
        if meant in _TABLES and name not in _TABLES:
            raise ConfigurationError(
                "read the secrets",
                f"[{name}]",
                "Names of tables are written in small letters.",
                f"Write it as [{meant}].",
            )
        table = tables[name]
        if name not in _TABLES and isinstance(table, Mapping) and _BUCKET_KEYS & set(table):
            raise ConfigurationError(
                "read the secrets",
                f"[{name}]",
                "It looks like the bucket's table.",
                "Name it [aws].",
            )
        if name in _AWS_REQUIRED:
            raise ConfigurationError(
                "read the secrets",
                name,
                "It stands outside of its table.",
                "Write a line `[aws]` above it.",
            )


def _owner(tables: Mapping[str, Any], *, local: bool) -> OwnerSettings:
    table = table_of(tables, "owner", _OWNER_KEYS)
    if table is None:
        return OwnerSettings(local=local)
    emails = table.get("emails", [])
    if isinstance(emails, str) or not (
        isinstance(emails, Sequence) and all(isinstance(email, str) for email in emails)
    ):
        raise ConfigurationError(
            "read the secrets",
            "[owner] emails",
            "It is not a list of texts.",
            'Write it as emails = ["you@example.com"].',
        )
    password_hash = text_of(table, "owner", "password_hash")
    if password_hash is not None and not password_hash.startswith("$argon2"):
        raise ConfigurationError(
            "read the secrets",
            "[owner] password_hash",
            "It is not an argon2 hash.",
            "Make one with `python cli.py hash-password` and paste the whole line.",
        )
    return OwnerSettings(
        local=local,
        emails=frozenset(email.strip().lower() for email in emails if email.strip()),
        password_hash=password_hash,
    )


def _timer_minutes(tables: Mapping[str, Any], environment: Mapping[str, str]) -> float:
    table = table_of(tables, "app", _APP_KEYS) or {}
    value = table.get("timer_minutes", environment.get("NBA_DAILY_TIMER_MINUTES", "5"))
    try:
        minutes = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        minutes = -1.0
    if not 0 <= minutes <= 24 * 60:
        raise ConfigurationError(
            "read the secrets",
            "[app] timer_minutes",
            "It is not a number of minutes between 0 and 1440.",
            "Write 5, or 0 to switch the timer off.",
        )
    return minutes


def _store(tables: Mapping[str, Any], environment: Mapping[str, str]) -> S3Options | FolderSettings:
    table = table_of(tables, "aws", _AWS_REQUIRED + _AWS_OPTIONAL)
    # Set but empty is half a configuration too: somebody meant to name a bucket.
    if table is None and "S3_BACKUP_BUCKET" not in environment:
        folder = environment.get("NBA_DAILY_STORE_DIR")
        return FolderSettings(
            Path(folder) if folder else platformdirs.user_data_path("nba-daily") / "store"
        )

    table = table or {}
    text = {key: text_of(table, "aws", key) for key in _AWS_REQUIRED + _AWS_OPTIONAL}
    bucket = text["bucket_name"] or environment.get("S3_BACKUP_BUCKET", "").strip()
    region = (
        text["region"]
        or environment.get("AWS_REGION", "").strip()
        or environment.get("AWS_DEFAULT_REGION", "").strip()
    )
    missing = [name for name, value in (("bucket_name", bucket), ("region", region)) if not value]
    given = [key for key in ("access_key_id", "secret_access_key") if text[key]]
    written = [key for key in ("access_key_id", "secret_access_key") if key in table]
    if given or written:
        # Half a key pair must not quietly become "use whatever else this machine has".
        missing += [key for key in ("access_key_id", "secret_access_key") if key not in given]
    if missing:
        raise ConfigurationError(
            "read the secrets",
            "[aws]",
            f"Missing: {', '.join(missing)}.",
            "Fill them in the app's secrets (see S3_SETUP_GUIDE.md); until then nothing is saved.",
        )
    if text["session_token"] and not given:
        raise ConfigurationError(
            "read the secrets",
            "[aws] session_token",
            "It belongs to a key pair, and there is none.",
            "Give access_key_id and secret_access_key with it, or leave it out.",
        )
    options = _s3_options(text, bucket, region, environment)
    _require_possible_encryption(options)
    return options


def _require_possible_encryption(options: S3Options) -> None:
    encryption = options.encryption
    problem = remedy = ""
    if encryption is not None and encryption not in _ENCRYPTIONS:
        problem = "Its value is not known."
        remedy = f"Use one of {', '.join(_ENCRYPTIONS)}."
    elif options.kms_key_id and encryption not in (None, "aws:kms"):
        problem = "It uses no key of your own, and kms_key_id names one."
        remedy = "Leave out one of the two."
    elif encryption == "none" and options.is_aws:
        problem = '"none" is for services other than AWS.'
        remedy = "Leave it out, or set endpoint_url to the service that you use."
    if problem:
        raise ConfigurationError("read the secrets", "[aws] encryption", problem, remedy)


def _s3_options(
    text: Mapping[str, str | None], bucket: str, region: str, environment: Mapping[str, str]
) -> S3Options:
    endpoint_url = (
        text["endpoint_url"]
        or environment.get("AWS_ENDPOINT_URL_S3")
        or environment.get("AWS_ENDPOINT_URL")
        or None
    )
    if endpoint_url is not None and not _is_address(endpoint_url):
        raise ConfigurationError(
            "read the secrets",
            "[aws] endpoint_url",
            "It is not an address.",
            "Write it with https:// in front, or leave it out for AWS.",
        )
    return S3Options(
        bucket=bucket,
        region=region,
        access_key_id=text["access_key_id"],
        secret_access_key=text["secret_access_key"],
        session_token=text["session_token"],
        endpoint_url=endpoint_url,
        prefix=text["prefix"] or "predictions/",
        kms_key_id=text["kms_key_id"],
        encryption=text["encryption"],
    )


def _is_address(url: str) -> bool:
    """Whether a request could be sent there: a scheme, a host and, if any, a port that exists."""
    try:
        parts = urlsplit(url)
        # Asking for a port that is none raises.
        return parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
