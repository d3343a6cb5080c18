"""The templates in infra/: well formed, alike, and saying what the app and its doctor count on."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import hcl2
import pytest

from jobs.bucket_findings import lifecycle_findings
from jobs.findings import FindingLevel
from jobs.iam_policy import DELETED_BELOW, policy_document
from jobs.state import LATEST_KEY
from replica.snapshots import HEAD
from replica.stores.bucket import Versioning
from replica.stores.s3 import S3Options, S3Store
from tests.infra_templates import (
    BUCKET,
    BUCKET_ARN,
    CLOUDFORMATION,
    INFRA,
    cloudformation,
    parse_cloudformation,
    terraform,
    terraform_variables,
)
from tests.season_counts import OLD_VERSIONS, expires_after
from tests.servers import raw_client, s3_options
from usage.cost_estimate import Habits

KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/11112222-3333-4444-5555-666677778888"
PREFIX = "elsewhere/nba/"
UNTOUCHED = ("log/", "bases/", "bronze/", "csv/")

# Longer than an export is ever kept.
EXPIRING = {"predictions/exports/": {"Days": 91}, "predictions/images/": {"Days": 365}}

Json = dict[str, Any]


# Well formed -------------------------------------------------------------------------------------


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from cfnlint.runner import main; sys.exit(main())"
    words = ["--non-zero-exit-code", "informational", "--include-checks", "I", "--", str(path)]
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_cloudformation_finds_nothing_wrong_with_the_template() -> None:
    answer = lint(CLOUDFORMATION)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Status: Enabled", "Status: On"),
        ("!GetAtt Bucket.Arn", "!GetAtt Bucket.Address"),
        ("BlockPublicAcls: true", "BlockPublicAccess: true"),
    ],
)
def test_a_mistake_in_the_template_is_found(tmp_path: Path, right: str, wrong: str) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(CLOUDFORMATION.read_text(encoding="utf-8").replace(right, wrong, 1))
    answer = lint(broken)
    assert answer.returncode != 0
    assert re.search(r"^E\d+ ", answer.stdout, re.MULTILINE), answer.stderr


@pytest.mark.parametrize("path", sorted(INFRA.glob("*.tf")), ids=lambda path: str(path.name))
def test_terraforms_files_are_hcl(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert hcl2.loads(text)
    with pytest.raises(Exception, match=r"(?i)unexpected"):
        hcl2.loads(text.rstrip().removesuffix("}"))


def test_terraform_uses_every_variable_and_no_other() -> None:
    used = {
        name
        for path in INFRA.glob("*.tf")
        for name in re.findall(r"\bvar\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert used == set(terraform_variables())


def test_terraform_refers_to_what_is_there() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in INFRA.glob("*.tf"))
    declared = {
        ".".join(one) for one in re.findall(r'^resource "(\w+)" "(\w+)"', text, re.MULTILINE)
    }
    declared |= {
        "data." + ".".join(one) for one in re.findall(r'^data "(\w+)" "(\w+)"', text, re.MULTILINE)
    }
    used = set(re.findall(r"\b(?:data\.)?aws_\w+\.\w+", text))
    assert used <= declared
    # Whoever reads a document says so with "data." before it.
    assert not {one for one in used if one.startswith("aws_iam_policy_document.")}


# The bucket --------------------------------------------------------------------------------------


def test_the_bucket_is_private_versioned_and_encrypted() -> None:
    made = cloudformation()["Bucket"]
    assert made["BucketName"] == BUCKET
    assert made["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(made["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(made["PublicAccessBlockConfiguration"]) == 4
    assert made["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    [rule] = made["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


def test_terraforms_bucket_is_private_versioned_and_encrypted() -> None:
    made = terraform()
    assert made["aws_s3_bucket.state"]["bucket"] == BUCKET
    versioning = made["aws_s3_bucket_versioning.state"]
    assert versioning["versioning_configuration"] == [{"status": "Enabled"}]
    access = made["aws_s3_bucket_public_access_block.state"]
    barred = {name: value for name, value in access.items() if name != "bucket"}
    assert set(barred.values()) == {True}
    assert len(barred) == 4
    owned = made["aws_s3_bucket_ownership_controls.state"]["rule"]
    assert owned == [{"object_ownership": "BucketOwnerEnforced"}]
    [rule] = made["aws_s3_bucket_server_side_encryption_configuration.state"]["rule"]
    [default] = rule["apply_server_side_encryption_by_default"]
    assert default == {"sse_algorithm": "AES256", "kms_master_key_id": None}
    assert all(
        one["bucket"] == BUCKET
        for address, one in made.items()
        if address.startswith("aws_s3_bucket_")
    )


def test_a_key_of_ones_own_encrypts() -> None:
    [rule] = cloudformation(KmsKeyArn=KEY_ARN)["Bucket"]["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    default = rule["ServerSideEncryptionByDefault"]
    assert (default["SSEAlgorithm"], default["KMSMasterKeyID"]) == ("aws:kms", KEY_ARN)
    assert rule["BucketKeyEnabled"] is True
    made = terraform(kms_key_arn=KEY_ARN)
    [rule] = made["aws_s3_bucket_server_side_encryption_configuration.state"]["rule"]
    assert rule["bucket_key_enabled"] is True
    assert rule["apply_server_side_encryption_by_default"] == [
        {"sse_algorithm": "aws:kms", "kms_master_key_id": KEY_ARN}
    ]


def test_the_history_outlives_the_stack() -> None:
    for name in ("Bucket", "BucketPolicy"):
        resource = parse_cloudformation()["Resources"][name]
        # All but what a first attempt that failed has made: that would be in the next one's way.
        assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resource["UpdateReplacePolicy"] == "Retain"
    assert terraform()["aws_s3_bucket.state"]["lifecycle"] == [{"prevent_destroy": True}]


def one_or_many(value: object) -> list[object]:
    return sorted(value) if isinstance(value, list) else [value]


def written(statement: Json) -> Json:
    """A statement of CloudFormation or of IAM, always with lists."""
    conditions = {
        operator: {key: one_or_many(value) for key, value in tests.items()}
        for operator, tests in statement.get("Condition", {}).items()
    }
    return {
        "sid": statement["Sid"],
        "effect": statement["Effect"],
        "actions": one_or_many(statement["Action"]),
        "resources": one_or_many(statement["Resource"]),
        "conditions": conditions,
        "everybody": statement.get("Principal") == "*",
    }


def terraform_written(statement: Json) -> Json:
    """The same of a statement in Terraform's own words."""
    conditions: dict[str, dict[str, list[object]]] = {}
    for one in statement.get("condition", ()):
        conditions.setdefault(one["test"], {})[one["variable"]] = one_or_many(one["values"])
    everybody = [{"type": "*", "identifiers": ["*"]}]
    return {
        "sid": statement["sid"],
        "effect": statement["effect"],
        "actions": one_or_many(statement["actions"]),
        "resources": one_or_many(statement["resources"]),
        "conditions": conditions,
        "everybody": statement.get("principals") == everybody,
    }


def test_nobody_gets_in_without_encryption() -> None:
    made = cloudformation()["BucketPolicy"]["PolicyDocument"]["Statement"]
    statements = [written(one) for one in made]
    assert statements == [
        terraform_written(one)
        for one in terraform()["data.aws_iam_policy_document.bucket"]["statement"]
    ]
    for one in statements:
        assert (one["effect"], one["actions"], one["everybody"]) == ("Deny", ["s3:*"], True)
        assert one["resources"] == [BUCKET_ARN, f"{BUCKET_ARN}/*"]
    assert [one["conditions"] for one in statements] == [
        {"Bool": {"aws:SecureTransport": ["false"]}},
        {"NumericLessThan": {"s3:TlsVersion": ["1.2"]}},
    ]


# Lifecycle ---------------------------------------------------------------------------------------


def cloudformation_rules(**parameters: object) -> list[Json]:
    """As S3's own interface takes them."""
    rules = []
    for one in cloudformation(**parameters)["Bucket"]["LifecycleConfiguration"]["Rules"]:
        rule = {"ID": one.pop("Id"), "Filter": {"Prefix": one.pop("Prefix", "")}, **one}
        for name, word in (
            ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
            ("ExpirationInDays", "Days"),
        ):
            if name in rule:
                rule["Expiration"] = {word: rule.pop(name)}
        rules.append(rule)
    return rules


def terraform_rules(**variables: object) -> list[Json]:
    """As S3's own interface takes them."""
    names = {
        "expiration": (
            "Expiration",
            {"expired_object_delete_marker": "ExpiredObjectDeleteMarker", "days": "Days"},
        ),
        "noncurrent_version_expiration": (
            "NoncurrentVersionExpiration",
            {"noncurrent_days": "NoncurrentDays"},
        ),
        "abort_incomplete_multipart_upload": (
            "AbortIncompleteMultipartUpload",
            {"days_after_initiation": "DaysAfterInitiation"},
        ),
    }
    rules = []
    for one in terraform(**variables)["aws_s3_bucket_lifecycle_configuration.state"]["rule"]:
        [chosen] = one.pop("filter")
        rule = {"ID": one.pop("id"), "Status": one.pop("status")}
        rule["Filter"] = {"Prefix": chosen["prefix"]}
        for name, [body] in one.items():
            title, words = names[name]
            rule[title] = {words[word]: value for word, value in body.items()}
        rules.append(rule)
    return rules


RULES = pytest.mark.parametrize("rules_of", [cloudformation_rules, terraform_rules])
RulesOf = Callable[..., list[Json]]


def test_both_templates_make_the_same_rules() -> None:
    assert cloudformation_rules() == terraform_rules()
    assert cloudformation_rules(Prefix=PREFIX, OldVersionsDays=90) == terraform_rules(
        prefix=PREFIX, old_versions_days=90
    )


@RULES
def test_no_rule_touches_the_log_or_what_it_names(rules_of: RulesOf) -> None:
    for rule in rules_of():
        deeds = rule.keys() - {"ID", "Status", "Filter"}
        if deeds == {"AbortIncompleteMultipartUpload"}:
            continue
        assert deeds <= {"NoncurrentVersionExpiration", "Expiration"}
        prefix = rule["Filter"]["Prefix"]
        # Not current objects, but for those that end by themselves: only marks that deletions have
        # left, when nothing is below them.
        marks = {"ExpiredObjectDeleteMarker": True}
        assert rule.get("Expiration", {}) in ({}, EXPIRING.get(prefix, marks))
        for below in UNTOUCHED:
            assert not prefix.startswith(f"predictions/{below}")
            assert not f"predictions/{below}".startswith(prefix)


@RULES
def test_old_versions_go_of_all_that_is_overwritten_or_deleted(rules_of: RulesOf) -> None:
    days = {
        rule["Filter"]["Prefix"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules_of()
        if "NoncurrentVersionExpiration" in rule
    }
    replaced = (*DELETED_BELOW, "images/", LATEST_KEY, HEAD)
    assert days.keys() == {f"predictions/{below}" for below in replaced}
    # What is revoked shall be gone, and what a probe wrote is of no use.
    assert {days.pop(f"predictions/{below}/") for below in ("exports", "images", "probe")} == {1}
    assert set(days.values()) == {30}


@RULES
def test_a_season_is_counted_with_the_rules_that_are_made(rules_of: RulesOf) -> None:
    days = {
        rule["Filter"]["Prefix"]: timedelta(
            days=rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        )
        for rule in rules_of()
        if "NoncurrentVersionExpiration" in rule
    }
    for below in (*DELETED_BELOW, "images/", LATEST_KEY, HEAD, *UNTOUCHED):
        assert expires_after(f"{below}one") == days.get(f"predictions/{below}"), below
    assert Habits().old_versions_days == OLD_VERSIONS.days


@RULES
def test_uploads_that_broke_off_go(rules_of: RulesOf) -> None:
    [rule] = [rule for rule in rules_of() if "AbortIncompleteMultipartUpload" in rule]
    assert rule["Filter"]["Prefix"] == ""
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


@RULES
def test_the_doctor_finds_nothing_wrong_with_the_rules(
    rules_of: RulesOf, moto_endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    bucket = new_bucket(moto_endpoint)
    raw_client(moto_endpoint).put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules_of()}
    )
    found = S3Store(s3_options(moto_endpoint, bucket)).bucket.lifecycle()
    assert len(found) == len(rules_of())
    findings = [*lifecycle_findings(found, "predictions/", Versioning.ON)]
    assert [one.level for one in findings] == [FindingLevel.OK], findings


# Who may do what ---------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", KEY_ARN], ids=["S3's keys", "a key of one's own"])
@pytest.mark.parametrize("prefix", ["predictions/", PREFIX])
def test_the_identity_may_do_what_the_doctor_prints_and_nothing_else(key: str, prefix: str) -> None:
    options = S3Options(bucket=BUCKET, region="us-east-1", prefix=prefix, kms_key_id=key or None)
    printed: Any = policy_document(options)
    expected = [written(one) for one in printed["Statement"]]
    assert len(expected) == (5 if key else 4)
    policy = cloudformation(KmsKeyArn=key, Prefix=prefix)["AppPolicy"]["PolicyDocument"]
    assert policy["Version"] == printed["Version"]
    assert [written(one) for one in policy["Statement"]] == expected
    made = terraform(kms_key_arn=key, prefix=prefix)
    found = made["data.aws_iam_policy_document.app"]["statement"]
    assert [terraform_written(one) for one in found] == expected


def test_a_second_bucket_for_exports_is_as_private_as_the_first() -> None:
    assert not {name for name in cloudformation() if "Export" in name or "Distribution" in name}
    assert not {address for address in terraform() if address.endswith(".exports")}
    stack = cloudformation(ExportBucketName="shared")
    made = terraform(export_bucket_name="shared")
    assert stack["ExportBucket"]["BucketName"] == "shared"
    assert made["aws_s3_bucket.exports"]["bucket"] == "shared"
    for one in ("PublicAccessBlockConfiguration", "OwnershipControls", "BucketEncryption"):
        assert stack["ExportBucket"][one] == stack["Bucket"][one]
    for one in ("public_access_block", "ownership_controls"):
        name = f"aws_s3_bucket_{one}"
        assert made[f"{name}.exports"] | {"bucket": BUCKET} == made[f"{name}.state"]
    rules = stack["ExportBucket"]["LifecycleConfiguration"]["Rules"]
    assert [rule.get("ExpirationInDays") for rule in rules] == [91, None]
    assert "VersioningConfiguration" not in stack["ExportBucket"], "what is revoked is gone"
    denied = [written(one) for one in stack["ExportBucketPolicy"]["PolicyDocument"]["Statement"]]
    same = made["data.aws_iam_policy_document.exports"]["statement"]
    assert denied == [terraform_written(one) for one in same]
    shared = ["arn:aws:s3:::shared", "arn:aws:s3:::shared/*"]
    first = stack["BucketPolicy"]["PolicyDocument"]["Statement"]
    assert denied == [written(one) | {"resources": shared} for one in first]
    # Nor does it go with the stack, as the README says.
    resources = parse_cloudformation()["Resources"]
    for one in ("DeletionPolicy", "UpdateReplacePolicy"):
        assert resources["ExportBucket"][one] == resources["Bucket"][one]
    assert made["aws_s3_bucket.exports"]["lifecycle"] == [{"prevent_destroy": True}]

    printed: Any = policy_document(
        S3Options(bucket=BUCKET, region="us-east-1"), export_bucket="shared"
    )
    expected = [written(one) for one in printed["Statement"]]
    assert len(expected) == 6
    policy = stack["AppPolicy"]["PolicyDocument"]["Statement"]
    assert [written(one) for one in policy] == expected
    found = made["data.aws_iam_policy_document.app"]["statement"]
    assert [terraform_written(one) for one in found] == expected


def test_public_exports_are_asked_for_and_read_below_one_prefix_only() -> None:
    stack = cloudformation(ExportBucketName="shared", PublicExports="yes")
    made = terraform(export_bucket_name="shared", public_exports="yes")
    *_, lets_in = stack["ExportBucketPolicy"]["PolicyDocument"]["Statement"]
    *_, same = made["data.aws_iam_policy_document.exports"]["statement"]
    for one in (written(lets_in), terraform_written(same)):
        assert (one["effect"], one["actions"]) == ("Allow", ["s3:GetObject"])
        assert one["resources"] == ["arn:aws:s3:::shared/predictions/exports/*"]
        assert not one["everybody"]
        assert list(one["conditions"]) == ["StringEquals"]
        assert list(one["conditions"]["StringEquals"]) == ["aws:SourceArn"], "this one, no other"
    # What is revoked lives on at the edge for so long, as the README says.
    longest = stack["DistributionCache"]["CachePolicyConfig"]["MaxTTL"]
    assert longest == made["aws_cloudfront_cache_policy.exports"]["max_ttl"] == 300
    assert "five minutes" in (INFRA / "README.md").read_text(encoding="utf-8")
    # Nothing of the history is ever in front of it.
    assert "Distribution" not in cloudformation(PublicExports="yes")
    assert "aws_cloudfront_distribution.exports" not in terraform(public_exports="yes")
    rules = parse_cloudformation()["Rules"]
    assert "Give ExportBucketName" in str(rules)


@pytest.mark.parametrize(
    ("identity", "service", "made", "left_out"),
    [
        ("user", "ec2.amazonaws.com", {"User"}, {"Role", "InstanceProfile"}),
        ("role", "ec2.amazonaws.com", {"Role", "InstanceProfile"}, {"User"}),
        ("role", "ecs-tasks.amazonaws.com", {"Role"}, {"User", "InstanceProfile"}),
    ],
)
def test_a_user_or_a_role_gets_the_policy(
    identity: str, service: str, made: set[str], left_out: set[str]
) -> None:
    stack = cloudformation(Identity=identity, TrustedService=service)
    assert made <= stack.keys()
    assert left_out.isdisjoint(stack)
    attached = {name for name in ("Users", "Roles") if name in stack["AppPolicy"]}
    assert attached == {"Users" if identity == "user" else "Roles"}
    addresses = {
        "User": "aws_iam_user.app",
        "Role": "aws_iam_role.app",
        "InstanceProfile": "aws_iam_instance_profile.app",
    }
    planned = terraform(identity=identity, trusted_service=service)
    assert {addresses[name] for name in made} <= planned.keys()
    assert {addresses[name] for name in left_out}.isdisjoint(planned)
    attachments = [address for address in planned if address.endswith("_policy_attachment.app")]
    assert attachments == [f"aws_iam_{identity}_policy_attachment.app"]
    if identity == "role":
        [trust] = stack["Role"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": service}
        [trust] = planned["data.aws_iam_policy_document.trust"]["statement"]
        assert trust["principals"] == [{"type": "Service", "identifiers": [service]}]


def test_a_user_whose_key_was_made_by_hand_can_be_deleted() -> None:
    assert terraform()["aws_iam_user.app"]["force_destroy"] is True
    assert "delete the user's access key" in (INFRA / "README.md").read_text(encoding="utf-8")


def test_the_outputs_say_what_the_secrets_need_for_a_key_of_ones_own() -> None:
    found = parse_cloudformation()["Outputs"]["KmsKeyId"]
    assert found["Value"] == {"Ref": "KmsKeyArn"}
    assert found["Condition"] == "HasKey"
    outputs = (INFRA / "outputs.tf").read_text(encoding="utf-8")
    [value] = re.findall(r'output "kms_key_id" \{[^}]*\bvalue += (.+)', outputs)
    assert value == 'var.kms_key_arn == "" ? null : var.kms_key_arn'


def test_a_provider_that_cannot_make_the_rules_is_left_out() -> None:
    versions = (INFRA / "versions.tf").read_text(encoding="utf-8")
    assert '">= 5.70, != 5.86.0, < 7.0"' in versions


def test_no_template_makes_or_shows_a_secret() -> None:
    for path in [CLOUDFORMATION, *INFRA.glob("*.tf")]:
        text = path.read_text(encoding="utf-8")
        assert "AWS::IAM::AccessKey" not in text
        assert "aws_iam_access_key" not in text
        assert "SecretAccessKey" not in text


def patterns(name: str) -> list[str]:
    """What both templates demand of a bucket's name, a prefix or a key."""
    ours = {"bucket_name": "BucketName", "prefix": "Prefix", "kms_key_arn": "KmsKeyArn"}
    [validation] = terraform_variables()[name]["validation"]
    found = re.search(r'regex\("([^"]+)", var\.', validation["condition"].replace('\\"', '"'))
    assert found is not None
    return [parse_cloudformation()["Parameters"][ours[name]]["AllowedPattern"], found[1]]


@pytest.mark.parametrize("prefix", ["predictions/", "a/b-c_d.e/"])
def test_ordinary_prefixes_are_taken(prefix: str) -> None:
    assert all(re.search(pattern, prefix) for pattern in patterns("prefix"))


@pytest.mark.parametrize("prefix", ["", "predictions", "/a/", "a//b/", "a*/", "${x}/", "a b/"])
def test_prefixes_that_a_policy_would_misread_are_refused(prefix: str) -> None:
    assert not any(re.search(pattern, prefix) for pattern in patterns("prefix"))


@pytest.mark.parametrize("key", [KEY_ARN, "", KEY_ARN.replace("arn:aws:", "arn:aws-us-gov:")])
def test_a_keys_whole_name_is_taken(key: str) -> None:
    assert all(re.search(pattern, key) for pattern in patterns("kms_key_arn"))


@pytest.mark.parametrize(
    "key", ["11112222-3333", "alias/mine", KEY_ARN.replace("key/", "alias/"), f"{KEY_ARN}/*"]
)
def test_keys_that_the_policy_would_not_name_are_refused(key: str) -> None:
    assert not any(re.search(pattern, key) for pattern in patterns("kms_key_arn"))


@pytest.mark.parametrize("name", ["Capital", "a.dot", "-a-", "ab", "under_line", "a" * 64])
def test_names_that_break_something_are_refused(name: str) -> None:
    assert not any(re.search(pattern, name) for pattern in patterns("bucket_name"))
    assert all(re.search(pattern, "nba-daily-2026") for pattern in patterns("bucket_name"))
