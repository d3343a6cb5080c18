"""What a bucket's settings mean: values in, findings out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jobs.bucket_findings import (
    clock_finding,
    encryption_finding,
    lifecycle_findings,
    public_access_finding,
    unknown_setting,
)
from jobs.findings import FindingLevel, Subject
from replica import AccessDenied, StoreError, StoreRejected, StoreThrottled, StoreUnreachable
from replica.stores.bucket import DefaultEncryption, LifecycleRule, PublicAccess, Versioning
from replica.stores.s3 import S3Options
from replica.stores.s3_bucket import LOOKS

OK, WARNING, PROBLEM = FindingLevel.OK, FindingLevel.WARNING, FindingLevel.PROBLEM
AWS = S3Options("bucket", "us-east-1")
ELSEWHERE = S3Options("bucket", "us-east-1", endpoint_url="https://a.example", encryption="none")
DENIED = AccessDenied("look up", "the bucket", "s3:GetEncryptionConfiguration", "Allow it.")
UNKNOWN = StoreRejected("look up", "the bucket", detail="NotImplemented, HTTP 501")
AWAY = StoreUnreachable("look up", "the bucket", detail="InternalError, HTTP 500")
BUSY = StoreThrottled("look up", "the bucket", detail="SlowDown, HTTP 503")
REPLACED = ("snapshots/", "backups/", "nba_stats.db.zst", "head.json")


def replaced_rules(days: int = 30, *, but: str = "") -> list[LifecycleRule]:
    """One for each that is replaced, but for one of them."""
    return [
        LifecycleRule(name, f"predictions/{name}", old_versions_days=days)
        for name in REPLACED
        if name != but
    ]


def meaning(method: str, answer: Mapping[str, object]) -> object:
    [look] = [look for look in LOOKS if look.method == method]
    return look.meaning(answer)


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ({"prefix": "predictions/log/", "expires": True}, PROBLEM),
        ({"prefix": "predictions/log/000", "expires": True}, PROBLEM),
        ({"prefix": "pred", "moves_to": ("GLACIER",)}, PROBLEM),
        ({"prefix": "predictions/bases/", "expires": True}, PROBLEM),
        ({"prefix": "", "moves_to": ("STANDARD_IA",)}, PROBLEM),
        ({"prefix": "predictions/backups/", "expires": True}, WARNING),
        ({"prefix": "predictions/csv/", "moves_to": ("GLACIER",)}, WARNING),
        ({"prefix": "predictions/probe/", "expires": True}, OK),
        ({"prefix": "holidays/", "expires": True}, OK),
        ({"prefix": "", "expires": True, "needs_tags": True}, OK),
        ({"prefix": "", "old_versions_days": 30}, OK),
    ],
)
def test_rules_that_harm(rule: dict[str, object], level: FindingLevel) -> None:
    rules = [LifecycleRule(name="a-rule", **rule)]  # type: ignore[arg-type]
    [finding] = lifecycle_findings(rules, "predictions/", Versioning.OFF)
    assert (finding.subject, finding.level) == (Subject.LIFECYCLE, level)
    assert bool(finding.fix) is (level is not OK)
    assert ("a-rule" in finding.says) is (level is not OK)


def test_without_a_prefix_every_rule_may_harm() -> None:
    rules = [LifecycleRule("", prefix="log/", expires=True)]
    [finding] = lifecycle_findings(rules, "", Versioning.OFF)
    assert finding.level is PROBLEM
    assert "without a name" in finding.says


@pytest.mark.parametrize("name", REPLACED)
@pytest.mark.parametrize(
    ("days", "level"), [(None, WARNING), (1, WARNING), (6, WARNING), (7, OK), (30, OK)]
)
def test_old_versions_of_a_versioned_bucket(
    name: str, days: int | None, level: FindingLevel
) -> None:
    own = LifecycleRule("", f"predictions/{name}", old_versions_days=days)
    rules = [*replaced_rules(but=name), own]
    [finding] = lifecycle_findings(rules, "predictions/", Versioning.ON)
    assert finding.level is level
    if level is WARNING:
        named = [one for one in REPLACED if f"predictions/{one}" in finding.says]
        assert named == [name], "which one, and no other"
        assert bool(finding.fix)
    [unversioned] = lifecycle_findings(rules, "predictions/", Versioning.OFF)
    assert unversioned.level is OK


def test_a_rule_for_a_part_is_none_for_the_whole() -> None:
    rules = [
        *replaced_rules(but="backups/"),
        LifecycleRule("", "predictions/backups/2026-", old_versions_days=30),
        LifecycleRule("", "predictions/backups/", needs_tags=True, old_versions_days=30),
    ]
    [finding] = lifecycle_findings(rules, "predictions/", Versioning.ON)
    assert finding.says.startswith("Old versions of predictions/backups/ are kept for ever")


def test_all_that_is_kept_for_ever_or_too_short_is_named_at_once() -> None:
    rules = [LifecycleRule("", "predictions/head.json", old_versions_days=2)]
    for_ever, too_soon = lifecycle_findings(rules, "predictions/", Versioning.ON)
    assert "predictions/snapshots/, predictions/backups/, predictions/nba_stats.db.zst are" in (
        for_ever.says
    )
    assert "predictions/head.json (2 days)" in too_soon.says


@pytest.mark.parametrize(
    ("prefix", "touched", "meaning"),
    [
        ("", "log/, predictions/bases/, predictions/bronze/, predictions/csv/", "--repair"),
        ("pred", "log/, predictions/bases/, predictions/bronze/, predictions/csv/", "--repair"),
        ("predictions/log/", "log/", "--repair"),
        ("predictions/bases/", "bases/", "by mistake"),
        ("predictions/bronze/", "bronze/", "by mistake"),
        ("predictions/csv/", "csv/", "by mistake"),
    ],
)
@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ({"old_versions_days": 30}, "removes old versions after 30 days"),
        ({"moves_old_to": ("GLACIER", "STANDARD_IA")}, "moves old versions to GLACIER, STANDARD_"),
    ],
)
def test_old_versions_from_which_a_mistake_is_mended(
    prefix: str, touched: str, meaning: str, deed: dict[str, object], words: str
) -> None:
    greedy = LifecycleRule("greedy", prefix, **deed)  # type: ignore[arg-type]
    [finding] = lifecycle_findings([*replaced_rules(), greedy], "predictions/", Versioning.ON)
    assert finding.level is WARNING
    assert finding.says.startswith(f"The rule greedy {words}")
    assert f"below predictions/{touched}: " in finding.says
    assert meaning in finding.says


def test_the_rules_that_come_with_the_app_are_in_order() -> None:
    replaced = ("snapshots/", "backups/", "probe/", "nba_stats.db.zst", "head.json")
    rules = [LifecycleRule(name, f"predictions/{name}", old_versions_days=30) for name in replaced]
    # Two more only take away lone marks and uploads that broke off.
    rules += [LifecycleRule("marks"), LifecycleRule("uploads")]
    [finding] = lifecycle_findings(rules, "predictions/", Versioning.ON)
    assert finding.level is OK


def test_each_bad_rule_is_named() -> None:
    rules = [
        LifecycleRule("one", expires=True, moves_to=("GLACIER", "DEEP_ARCHIVE")),
        LifecycleRule("two", prefix="predictions/csv/", expires=True),
    ]
    found = list(lifecycle_findings(rules, "predictions/", None))
    assert [finding.level for finding in found] == [PROBLEM, WARNING]
    assert "The rule one removes objects and moves objects to GLACIER, DEEP_ARCHIVE" in (
        found[0].says
    )


def test_how_rules_are_read() -> None:
    answer = {
        "Rules": [
            {"ID": "old style", "Status": "Enabled", "Prefix": "a/", "Expiration": {"Days": 1}},
            {"Status": "Enabled", "Filter": {"Prefix": "b/"}, "Expiration": {"Date": "2030-01-01"}},
            {"Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
            {
                "Status": "Enabled",
                "Filter": {"And": {"Prefix": "c/", "ObjectSizeGreaterThan": 9}},
                "Transitions": [{"Days": 0, "StorageClass": "GLACIER"}],
            },
            {
                "Status": "Enabled",
                "Filter": {"And": {"Prefix": "d/", "Tags": [{"Key": "k", "Value": "v"}]}},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
            },
            {"Status": "Enabled", "Filter": {"Tag": {"Key": "k", "Value": "v"}}},
            {
                "Status": "Enabled",
                "Filter": {"Prefix": "e/"},
                "NoncurrentVersionTransitions": [
                    {"NoncurrentDays": 9, "StorageClass": "STANDARD_IA"},
                    {"NoncurrentDays": 99, "StorageClass": "GLACIER"},
                ],
            },
        ]
    }
    assert meaning("get_bucket_lifecycle_configuration", answer) == (
        LifecycleRule("old style", "a/", expires=True),
        LifecycleRule("", "b/", expires=True),
        LifecycleRule("", "c/", moves_to=("GLACIER",)),
        LifecycleRule("", "d/", needs_tags=True, old_versions_days=3),
        LifecycleRule("", "", needs_tags=True),
        LifecycleRule("", "e/", moves_old_to=("STANDARD_IA", "GLACIER")),
    )
    assert meaning("get_bucket_lifecycle_configuration", {}) == ()


def test_how_encryption_is_read() -> None:
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}
    }
    answer = {"ServerSideEncryptionConfiguration": {"Rules": [{"BucketKeyEnabled": True}, rule]}}
    assert meaning("get_bucket_encryption", answer) == DefaultEncryption("aws:kms", "k")
    assert meaning("get_bucket_encryption", {}) is None


@pytest.mark.parametrize(
    ("default", "options", "level", "words"),
    [
        (DefaultEncryption("AES256"), AWS, OK, "asks for AES256. The bucket's default is AES256."),
        (None, AWS, OK, "Each upload asks for AES256."),
        (DENIED, AWS, WARNING, "Each upload asks for AES256."),
        (AWAY, AWS, WARNING, "Each upload asks for AES256."),
        (BUSY, ELSEWHERE, WARNING, "slow down"),
        (UNKNOWN, AWS, OK, "Each upload asks for AES256."),
        (None, S3Options("b", "r", kms_key_id="k"), OK, "asks for aws:kms."),
        (DefaultEncryption("AES256"), ELSEWHERE, OK, "The bucket's default is AES256."),
        (None, ELSEWHERE, WARNING, "Neither does the bucket encrypt"),
        (UNKNOWN, ELSEWHERE, WARNING, "does not tell whether it encrypts"),
        (DENIED, ELSEWHERE, WARNING, "s3:GetEncryptionConfiguration"),
    ],
)
def test_encryption(
    default: DefaultEncryption | StoreError | None,
    options: S3Options,
    level: FindingLevel,
    words: str,
) -> None:
    finding = encryption_finding(default, options)
    assert finding.level is level
    assert words in finding.says
    assert bool(finding.fix) is (level is not OK)


OWN, OTHER = "arn:aws:kms:us-east-1:111122223333:key/own", "arn:aws:kms:us-east-1:1:key/other"


@pytest.mark.parametrize(
    ("default_key", "changes", "level", "fix"),
    [
        (OWN, {}, WARNING, f'Set kms_key_id = "{OWN}"'),
        (OWN, {"encryption": "AES256"}, WARNING, f'Set kms_key_id = "{OWN}"'),
        (OWN, {"encryption": "aws:kms"}, WARNING, f'Set kms_key_id = "{OWN}"'),
        (OWN, {"kms_key_id": OTHER}, WARNING, f'Set kms_key_id = "{OWN}"'),
        (OWN, {"kms_key_id": OWN}, OK, ""),
        (OWN, {"kms_key_id": "own"}, OK, ""),
        # Only KMS could tell which key a name means.
        (OWN, {"kms_key_id": "alias/mine"}, OK, ""),
        (None, {}, WARNING, 'Set encryption = "aws:kms"'),
        (None, {"encryption": "aws:kms"}, OK, ""),
        (None, {"kms_key_id": OWN}, OK, ""),
    ],
)
def test_a_buckets_own_key_that_the_app_goes_around(
    default_key: str | None, changes: dict[str, str], level: FindingLevel, fix: str
) -> None:
    default = DefaultEncryption("aws:kms", default_key)
    finding = encryption_finding(default, S3Options("b", "us-east-1", **changes))  # type: ignore[arg-type]
    assert finding.level is level
    assert finding.fix.startswith(fix)
    assert bool(finding.fix) is (level is WARNING)


@pytest.mark.parametrize("subject", [Subject.VERSIONING, Subject.ENCRYPTION, Subject.LIFECYCLE])
@pytest.mark.parametrize("error", [DENIED, AWAY, BUSY])
def test_only_a_rejected_question_is_one_that_the_service_does_not_know(
    subject: Subject, error: StoreError
) -> None:
    found = unknown_setting(subject, error)
    assert found.level is WARNING
    assert error.summary in found.says
    assert found.fix == error.remedy
    assert "does not tell" in unknown_setting(subject, UNKNOWN).says


def test_public_access() -> None:
    shut = PublicAccess(True, True, True, True)
    ajar = PublicAccess(True, True, True, False)
    assert public_access_finding(shut, is_public=False).level is OK
    assert public_access_finding(ajar, is_public=False).level is WARNING
    assert public_access_finding(UNKNOWN, is_public=False).level is OK
    for error in (DENIED, AWAY, BUSY):
        assert public_access_finding(error, is_public=False).level is WARNING
    # What is answered counts, whatever the settings promise.
    for access in (shut, ajar, UNKNOWN, DENIED):
        assert public_access_finding(access, is_public=True).level is PROBLEM


@pytest.mark.parametrize(
    ("offset_seconds", "level"),
    [(0, OK), (-300, OK), (301, WARNING), (-900, WARNING), (901, PROBLEM), (-86_400, PROBLEM)],
)
def test_clock(offset_seconds: float, level: FindingLevel) -> None:
    finding = clock_finding(offset_seconds)
    assert finding.level is level
    if level is not OK:
        assert ("behind" in finding.says) is (offset_seconds > 0)
