"""Settings: whole ones lead to one store, half ones to an error that stops writing."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.backup_settings import BackupSettings
from jobs.clock import clock_starting_at
from jobs.configuration import CHECKOUT, FolderSettings, Settings, read_settings
from jobs.errors import ConfigurationError
from jobs.retention import Retention
from replica.stores.s3 import S3Options

KEY_ID, SECRET = "AKIAABCDEFGHIJKLMNOP", "s3cr3t-that-nobody-may-see"
HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"
WHOLE: dict[str, Any] = {
    "access_key_id": KEY_ID,
    "secret_access_key": SECRET,
    "bucket_name": "my-predictions",
    "region": "eu-central-1",
}
ELSEWHERE = "https://storage.example.com"


def store_of(
    secrets: dict[str, Any], environment: dict[str, str] | None = None
) -> S3Options | FolderSettings | ConfigurationError:
    return read_settings(secrets, environment or {}, []).store


def problem_of(
    secrets: dict[str, Any], environment: dict[str, str] | None = None
) -> ConfigurationError:
    store = store_of(secrets, environment)
    assert isinstance(store, ConfigurationError), f"{store!r} would be written to"
    assert store.remedy.endswith(".")
    assert SECRET not in str(store)
    return store


def test_without_secrets_the_store_is_a_folder_of_this_user() -> None:
    settings = read_settings({}, {}, [])
    assert isinstance(settings.store, FolderSettings)
    assert settings.store.path.parts[-2:] == ("nba-daily", "store")
    assert settings.uses_folder
    assert settings.is_deployed
    assert settings.timer_minutes == 5
    assert settings.state_folder == CHECKOUT / ".state"
    assert settings.database_path == CHECKOUT / ".state" / "folder" / "nba_stats.db"
    assert settings.data_folder == CHECKOUT / "data"
    assert settings.start_at is None


def test_folders_can_be_named(tmp_path: Path) -> None:
    environment = {"NBA_DAILY_STORE_DIR": str(tmp_path / "a"), "NBA_DAILY_STATE_DIR": str(tmp_path)}
    settings = read_settings({}, environment, [])
    assert settings.store == FolderSettings(tmp_path / "a")
    assert settings.database_path == tmp_path / "folder" / "nba_stats.db"


def test_whole_secrets_lead_to_the_bucket() -> None:
    settings = read_settings({"aws": WHOLE}, {}, [])
    assert settings.store == S3Options(
        bucket="my-predictions",
        region="eu-central-1",
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
    )
    assert not settings.uses_folder


def test_every_optional_setting_arrives() -> None:
    optional = {
        "endpoint_url": ELSEWHERE,
        "prefix": "elsewhere/",
        "encryption": "aws:kms",
        "kms_key_id": "key-1",
        "session_token": "token-1",
    }
    store = store_of({"aws": WHOLE | optional})
    assert isinstance(store, S3Options)
    assert store.endpoint_url == ELSEWHERE
    assert store.prefix == "elsewhere/"
    assert (store.encryption, store.kms_key_id) == ("aws:kms", "key-1")
    assert store.session_token == "token-1"


def test_text_is_taken_without_the_space_around_it() -> None:
    store = store_of({"aws": {name: f" {value}\n" for name, value in WHOLE.items()}})
    assert store == store_of({"aws": WHOLE})


@pytest.mark.parametrize("blank", [None, "", "  "])
@pytest.mark.parametrize("name", sorted(WHOLE))
def test_half_the_secrets_never_become_the_folder(name: str, blank: str | None) -> None:
    half = {key: value for key, value in WHOLE.items() if key != name}
    if blank is not None:
        half[name] = blank
    error = problem_of({"aws": half})
    assert error.problem == f"Missing: {name}."
    assert "S3_SETUP_GUIDE.md" in error.remedy


def test_an_empty_table_is_half_a_configuration() -> None:
    assert problem_of({"aws": {}}).problem == "Missing: bucket_name, region."


def test_a_blank_key_pair_is_not_the_credential_chain() -> None:
    error = problem_of({"aws": WHOLE | {"access_key_id": "", "secret_access_key": ""}})
    assert error.problem == "Missing: access_key_id, secret_access_key."


def test_without_a_key_pair_the_credential_chain_is_used() -> None:
    store = store_of({"aws": {"bucket_name": "b", "region": "us-east-1"}})
    assert isinstance(store, S3Options)
    assert (store.access_key_id, store.secret_access_key) == (None, None)


def test_the_examples_placeholders_never_become_the_folder() -> None:
    example = (CHECKOUT / ".streamlit" / "secrets.example.toml").read_text(encoding="utf-8")
    store = store_of(tomllib.loads(example))
    assert isinstance(store, S3Options), "the bucket will refuse the key, and nothing is saved"


@pytest.mark.parametrize(
    "secrets",
    [
        {"AWS": WHOLE},
        {"Aws": {}},
        WHOLE,
        {"bucket_name": "my-predictions"},
    ],
)
def test_a_misnamed_table_never_becomes_the_folder(secrets: dict[str, Any]) -> None:
    assert "[aws]" in problem_of(secrets).remedy


def test_tables_of_others_are_left_alone() -> None:
    secrets = {"auth": {"client_id": "x"}, "connections": {}, "GREETING": "hello"}
    assert isinstance(store_of(secrets), FolderSettings)


@pytest.mark.parametrize(
    ("secrets", "key"),
    [
        ({"aws": WHOLE | {"bucket": "b"}}, "[aws] bucket"),
        ({"owner": {"email": "me@example.com"}}, "[owner] email"),
        ({"app": {"timer": 5}}, "[app] timer"),
    ],
)
def test_unknown_keys_are_named_with_the_known_ones(secrets: dict[str, Any], key: str) -> None:
    error = problem_of(secrets)
    assert error.key == key
    assert "Known settings: " in error.remedy


@pytest.mark.parametrize(
    ("secrets", "key"),
    [
        ({"aws": "my-predictions"}, "[aws]"),
        ({"aws": ["my-predictions"]}, "[aws]"),
        ({"aws": WHOLE | {"bucket_name": 7}}, "[aws] bucket_name"),
        ({"aws": WHOLE | {"secret_access_key": ["x"]}}, "[aws] secret_access_key"),
        ({"owner": {"emails": "me@example.com"}}, "[owner] emails"),
        ({"owner": {"emails": ["me@example.com", 7]}}, "[owner] emails"),
        ({"owner": {"emails": 7}}, "[owner] emails"),
        ({"owner": {"password_hash": "hunter22"}}, "[owner] password_hash"),
        ({"app": {"timer_minutes": "often"}}, "[app] timer_minutes"),
        ({"app": {"timer_minutes": -1}}, "[app] timer_minutes"),
        ({"app": {"timer_minutes": True}}, "[app] timer_minutes"),
        ({"app": {"timer_minutes": float("nan")}}, "[app] timer_minutes"),
        ({"app": {"timer_minutes": 1441}}, "[app] timer_minutes"),
    ],
)
def test_wrong_types_and_values_stop_writing(secrets: dict[str, Any], key: str) -> None:
    error = problem_of({"aws": WHOLE} | secrets)
    assert error.key == key
    assert "hunter22" not in str(error)


def test_unreadable_secrets_stop_writing() -> None:
    reason = ConfigurationError("read", "secrets.toml", "It is not TOML.", "Mend it.")
    settings = read_settings(reason, {"S3_BACKUP_BUCKET": "b", "AWS_REGION": "us-east-1"}, [])
    assert settings.store is reason


def test_the_environment_names_a_bucket() -> None:
    environment = {
        "S3_BACKUP_BUCKET": "from-environment",
        "S3_IMAGE_BUCKET": "images",
        "S3_EXPORT_BUCKET": "exports",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_S3": ELSEWHERE,
    }
    settings = read_settings({}, environment, [])
    assert settings.store == S3Options(
        bucket="from-environment", region="eu-west-1", endpoint_url=ELSEWHERE
    )
    assert (settings.image_bucket, settings.export_bucket) == ("images", "exports")


def test_secrets_win_over_the_environment() -> None:
    environment = {
        "S3_BACKUP_BUCKET": "other",
        "AWS_REGION": "us-west-2",
        "AWS_ENDPOINT_URL_S3": "https://other.example.com",
        "NBA_DAILY_TIMER_MINUTES": "30",
    }
    secrets = {"aws": WHOLE | {"endpoint_url": ELSEWHERE}, "app": {"timer_minutes": 10}}
    settings = read_settings(secrets, environment, [])
    assert isinstance(settings.store, S3Options)
    assert settings.store.bucket == "my-predictions"
    assert settings.store.region == "eu-central-1"
    assert settings.store.endpoint_url == ELSEWHERE
    assert settings.timer_minutes == 10


def test_what_the_secrets_leave_out_comes_from_the_environment() -> None:
    half = {name: WHOLE[name] for name in ("access_key_id", "secret_access_key")}
    environment = {"S3_BACKUP_BUCKET": "b", "AWS_DEFAULT_REGION": "eu-west-3"}
    store = store_of({"aws": half}, environment)
    assert isinstance(store, S3Options)
    assert (store.bucket, store.region, store.access_key_id) == ("b", "eu-west-3", KEY_ID)


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"S3_BACKUP_BUCKET": "b"}, "region"),
        ({"S3_BACKUP_BUCKET": "b", "AWS_REGION": " "}, "region"),
        ({"S3_BACKUP_BUCKET": "", "AWS_REGION": "us-east-1"}, "bucket_name"),
    ],
)
def test_half_an_environment_never_becomes_the_folder(
    environment: dict[str, str], missing: str
) -> None:
    assert problem_of({}, environment).problem == f"Missing: {missing}."


@pytest.mark.parametrize(
    "endpoint_url",
    [
        "storage.example.com",
        "https://",
        "https:///bucket",
        "http://[::1",
        "https://:9000",
        "https://storage.example.com:port",
        "https://storage.example.com:99999",
        "ftp://storage.example.com",
    ],
)
def test_an_endpoint_is_an_address(endpoint_url: str) -> None:
    error = problem_of({"aws": WHOLE | {"endpoint_url": endpoint_url}})
    assert error.key == "[aws] endpoint_url"
    assert "https://" in error.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"encryption": "none"},
        {"encryption": "none", "endpoint_url": "https://s3.eu-central-1.amazonaws.com"},
        {"encryption": "none", "endpoint_url": ELSEWHERE, "kms_key_id": "key-1"},
        {"encryption": "AES256", "kms_key_id": "key-1"},
        {"encryption": "rot13", "endpoint_url": ELSEWHERE},
    ],
)
def test_encryption_that_cannot_be_stops_writing(changes: dict[str, str]) -> None:
    assert problem_of({"aws": WHOLE | changes}).key == "[aws] encryption"


@pytest.mark.parametrize(
    "changes",
    [
        {"encryption": "none", "endpoint_url": ELSEWHERE},
        {"encryption": "AES256"},
        {"encryption": "aws:kms"},
        {"encryption": "aws:kms", "kms_key_id": "key-1"},
        {"kms_key_id": "key-1"},
    ],
)
def test_encryption_that_can_be_is_taken(changes: dict[str, str]) -> None:
    store = store_of({"aws": WHOLE | changes})
    assert isinstance(store, S3Options)
    assert store.encryption == changes.get("encryption")
    assert store.kms_key_id == changes.get("kms_key_id")


def test_a_session_token_alone_is_no_credential() -> None:
    table = {"bucket_name": "b", "region": "us-east-1", "session_token": "token-1"}
    error = problem_of({"aws": table})
    assert error.key == "[aws] session_token"
    assert "token-1" not in str(error)


def test_the_owner_is_who_the_secrets_say() -> None:
    secrets = {"owner": {"emails": [" Me@Example.com ", ""], "password_hash": HASH}}
    owner = read_settings(secrets, {}, []).owner
    assert owner.emails == {"me@example.com"}
    assert owner.password_hash == HASH
    assert not owner.local


def test_the_flag_makes_the_local_user_the_owner() -> None:
    settings = read_settings({}, {}, ["--local-owner"])
    assert settings.owner.local
    assert not settings.is_deployed


def test_wrong_owners_leave_the_flag_alone() -> None:
    settings = read_settings({"owner": {"emails": 7}}, {}, ["--local-owner"])
    assert settings.owner.local
    assert isinstance(settings.store, ConfigurationError)


@pytest.mark.parametrize(
    "text", ["2026-11-20T18:00:00+00:00", "2026-11-20T13:00:00-05:00", "2026-11-20T18:00Z"]
)
def test_the_clock_can_start_at_a_moment(text: str) -> None:
    moment = read_settings({}, {}, ["--now", text]).start_at
    assert moment == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert moment is not None
    assert moment.tzinfo is UTC


def test_a_clock_that_was_set_runs_on() -> None:
    start = datetime(2026, 11, 20, 18, tzinfo=UTC)
    clock = clock_starting_at(start)
    first, second = clock(), clock()
    assert start <= first <= second < start + timedelta(minutes=1)
    real = clock_starting_at(None)()
    assert abs(real - datetime.now(UTC)) < timedelta(minutes=1)
    assert real.tzinfo is UTC


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["--now", "2026-11-20T18:00:00"], "--now"),
        (["--now", "tonight"], "--now"),
        (["--now", "0001-01-01T00:00:00+23:00"], "--now"),
        (["--now"], "--now"),
        (["--local-owner=yes"], "--local-owner"),
        (["--local"], "--local"),
        (["--owner"], "--owner"),
        (["--help"], "--help"),
        (["word"], "word"),
    ],
)
def test_wrong_flags_are_named_with_the_known_ones(words: list[str], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({}, {}, words)
    assert caught.value.key == key
    assert "--local-owner" in caught.value.remedy
    assert "_moment" not in str(caught.value)


def test_a_moment_without_a_time_zone_says_what_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="has no time zone"):
        read_settings({}, {}, ["--now", "2026-11-20T18:00:00"])


def test_settings_shown_hold_no_secret() -> None:
    table = WHOLE | {"session_token": "token-1", "endpoint_url": "https://user:pass@example.com"}
    secrets = {"aws": table, "owner": {"emails": ["me@example.com"], "password_hash": HASH}}
    settings = read_settings(secrets, {}, [])
    assert isinstance(settings.store, S3Options)
    shown = f"{settings!r} {settings} {settings.store!r} {settings.owner!r}"
    assert Settings.__name__ in shown
    for secret in (KEY_ID, SECRET, "token-1", "user:pass", "me@example.com", HASH):
        assert secret not in shown


@pytest.mark.parametrize(
    "secrets",
    [
        {"s3": {"bucket_name": "b"}},
        {"aws ": {"region": "us-east-1"}},
        {"bucket": {"secret_access_key": "hidden-word"}},
    ],
)
def test_a_bucket_under_another_name_is_never_the_folder(secrets: dict[str, object]) -> None:
    settings = read_settings(secrets, {}, [])
    assert isinstance(settings.store, ConfigurationError)
    assert "[aws]" in settings.store.remedy
    assert "hidden-word" not in str(settings.store)


# Backups ------------------------------------------------------------------------------------------


def test_backups_are_daily_unless_somebody_says_otherwise() -> None:
    assert read_settings({}, {}, []).backups == BackupSettings(True, Retention(3, 7, 4, 12))
    assert not read_settings({}, {"NBA_DAILY_BACKUPS": "none"}, []).backups.daily
    assert not read_settings({"backups": {"daily": False}}, {}, []).backups.daily
    both = read_settings({"backups": {"daily": True}}, {"NBA_DAILY_BACKUPS": "none"}, [])
    assert both.backups.daily, "secrets win"


def test_how_many_are_kept_can_be_set() -> None:
    table = {"keep_last": 1, "keep_daily": 0, "keep_weekly": 2, "keep_monthly": 1000}
    assert read_settings({"backups": table}, {}, []).backups.keep == Retention(1, 0, 2, 1000)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"daily": "yes"}, "[backups] daily"),
        ({"daily": 1}, "[backups] daily"),
        ({"keep_last": -1}, "[backups] keep_last"),
        ({"keep_daily": 1001}, "[backups] keep_daily"),
        ({"keep_weekly": "4"}, "[backups] keep_weekly"),
        ({"keep_monthly": True}, "[backups] keep_monthly"),
        ({"keep_yearly": 4}, "[backups] keep_yearly"),
    ],
)
def test_half_understood_rules_stop_everything(table: dict[str, Any], named: str) -> None:
    assert problem_of({"backups": table}).key == named


def test_an_unknown_word_in_the_environment_is_named() -> None:
    assert problem_of({}, {"NBA_DAILY_BACKUPS": "weekly"}).key == "NBA_DAILY_BACKUPS"
    assert problem_of({"Backups": {}}).key == "[Backups]"


def test_exports_are_not_public_unless_somebody_says_so() -> None:
    assert read_settings({}, {}, []).exports.public_address is None
    address = "https://d111111abcdef8.cloudfront.net/predictions"
    table = {"exports": {"public_address": f" {address}/ "}}
    assert read_settings(table, {}, []).exports.public_address == address
    environment = {"NBA_DAILY_PUBLIC_ADDRESS": address}
    assert read_settings({}, environment, []).exports.public_address == address


@pytest.mark.parametrize(
    "address",
    [
        "http://d1.cloudfront.net",
        "d1.cloudfront.net",
        "https://",
        "https://user:word@d1.cloudfront.net",
        "https://d1.cloudfront.net/?a=b",
        "https://d1.cloudfront.net/#a",
        "https://d1.cloudfront.net:0",
        "https://d1 cloudfront.net",
        7,
    ],
)
def test_public_addresses_that_cannot_be_meant(address: object) -> None:
    problem = problem_of({"exports": {"public_address": address}})
    assert problem.key == "[exports] public_address"
    assert "word" not in str(problem)
