"""The policy for the configuration at hand."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from jobs.iam_policy import DELETED_BELOW, policy_document, policy_json, policy_statements
from replica.stores.s3 import S3Options

KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def options(**changes: Any) -> S3Options:
    settings: dict[str, Any] = {"bucket": "my-bucket", "region": "eu-central-1"}
    return S3Options(**(settings | changes))


def statement(sid: str, **changes: Any) -> dict[str, Any]:
    statements: Any = policy_document(options(**changes))["Statement"]
    [found] = [one for one in statements if one["Sid"] == sid]
    return dict(found)


def test_the_whole_policy() -> None:
    assert policy_document(options(kms_key_id=KEY)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "SeeWhatIsThere",
                "Effect": "Allow",
                "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
                "Resource": "arn:aws:s3:::my-bucket",
                "Condition": {"StringLike": {"s3:prefix": "predictions/*"}},
            },
            {
                "Sid": "ReadAndCreate",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
                "Resource": "arn:aws:s3:::my-bucket/predictions/*",
            },
            {
                "Sid": "TidyUp",
                "Effect": "Allow",
                "Action": "s3:DeleteObject",
                "Resource": [
                    "arn:aws:s3:::my-bucket/predictions/backups/*",
                    "arn:aws:s3:::my-bucket/predictions/exports/*",
                    "arn:aws:s3:::my-bucket/predictions/probe/*",
                    "arn:aws:s3:::my-bucket/predictions/snapshots/*",
                ],
            },
            {
                "Sid": "ExamineTheBucket",
                "Effect": "Allow",
                "Action": [
                    "s3:GetBucketPublicAccessBlock",
                    "s3:GetBucketVersioning",
                    "s3:GetEncryptionConfiguration",
                    "s3:GetLifecycleConfiguration",
                ],
                "Resource": "arn:aws:s3:::my-bucket",
            },
            {
                "Sid": "UseTheKey",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": KEY,
            },
        ],
    }
    assert json.loads(policy_json(options())) == policy_document(options())


def test_nothing_may_be_deleted_of_the_history() -> None:
    assert not {"log/", "bases/", "csv/", "bronze/"} & set(DELETED_BELOW)
    for one in policy_statements(options()):
        for action in one.actions:
            assert "*" not in action
            assert not action.startswith("s3:Put") or action == "s3:PutObject"
            if action.startswith("s3:Delete"):
                assert all(not name.endswith("predictions/*") for name in one.resources)
    assert "s3:DeleteObjectVersion" not in policy_json(options())


def test_another_prefix_and_none() -> None:
    there = statement("ReadAndCreate", prefix="/apps/nba daily/")["Resource"]
    assert there == "arn:aws:s3:::my-bucket/apps/nba daily/*"
    assert statement("SeeWhatIsThere", prefix="apps/nba")["Condition"] == {
        "StringLike": {"s3:prefix": "apps/nba/*"}
    }
    everywhere = statement("ReadAndCreate", prefix="")["Resource"]
    assert everywhere == "arn:aws:s3:::my-bucket/*"
    assert "Condition" not in statement("SeeWhatIsThere", prefix="/")
    assert statement("TidyUp", prefix="")["Resource"][0] == "arn:aws:s3:::my-bucket/backups/*"


def test_signs_that_a_policy_takes_for_patterns() -> None:
    there = statement("ReadAndCreate", prefix="a*b?c$d")["Resource"]
    assert there == "arn:aws:s3:::my-bucket/a${*}b${?}c${$}d/*"


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("auto", "aws"),
    ],
)
def test_parts_of_the_world(region: str, partition: str) -> None:
    text = policy_json(options(region=region, kms_key_id="1234"))
    assert set(re.findall(r"arn:([a-z-]+):", text)) == {partition}


@pytest.mark.parametrize(
    ("key", "resource", "condition"),
    [
        (KEY, KEY, None),
        ("1234abcd", "arn:aws:kms:eu-central-1:*:key/1234abcd", None),
        ("alias/mine", "arn:aws:kms:eu-central-1:*:key/*", "alias/mine"),
        (
            "arn:aws:kms:us-west-2:111122223333:alias/a/b",
            "arn:aws:kms:us-west-2:111122223333:key/*",
            "alias/a/b",
        ),
    ],
)
def test_a_key_of_ones_own(key: str, resource: str, condition: str | None) -> None:
    found = statement("UseTheKey", kms_key_id=key)
    assert found["Resource"] == resource
    expected = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": condition}}
    assert found.get("Condition") == (expected if condition else None)


def test_other_services_get_no_action_that_they_do_not_know() -> None:
    here = policy_json(options(endpoint_url="https://minio.example.com"))
    assert "PublicAccessBlock" not in here
    assert "PublicAccessBlock" in policy_json(options())
    assert "UseTheKey" not in policy_json(options(encryption="aws:kms"))


def test_other_services_have_neither_aws_keys_nor_its_parts_of_the_world() -> None:
    here = policy_json(
        options(endpoint_url="https://minio.example.com", region="cn-north-1", kms_key_id="mine")
    )
    assert "kms:" not in here
    assert set(re.findall(r"arn:([a-z-]+):", here)) == {"aws"}
    # An address of AWS's own is AWS.
    there = policy_json(
        options(
            endpoint_url="https://s3.cn-north-1.amazonaws.com.cn",
            region="cn-north-1",
            kms_key_id="mine",
        )
    )
    assert "UseTheKey" in there
    assert set(re.findall(r"arn:([a-z-]+):", there)) == {"aws-cn"}


def test_buckets_of_their_own_for_exports_and_images() -> None:
    document: Any = policy_document(options(), export_bucket="shared", image_bucket="pictures")
    before: Any = policy_document(options())["Statement"]
    added = [one for one in document["Statement"] if one not in before]
    assert added == [
        {
            "Sid": "SeeExports",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
            "Resource": "arn:aws:s3:::shared",
            "Condition": {"StringLike": {"s3:prefix": "predictions/exports/*"}},
        },
        {
            "Sid": "KeepExports",
            "Effect": "Allow",
            "Action": ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::shared/predictions/exports/*",
        },
        {
            "Sid": "SeeImages",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
            "Resource": "arn:aws:s3:::pictures",
            "Condition": {"StringLike": {"s3:prefix": "predictions/images/*"}},
        },
        {
            "Sid": "KeepImages",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::pictures/predictions/images/*",
        },
    ]
    # The state's own bucket needs no more than it has.
    same = policy_document(options(), export_bucket="my-bucket", image_bucket="my-bucket")
    assert same == policy_document(options())
