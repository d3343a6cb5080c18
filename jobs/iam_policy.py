"""The policy that a bucket's key needs, and nothing beyond it, for the configuration at hand."""

from __future__ import annotations

import json
from dataclasses import dataclass

from replica.stores.s3 import S3Options

__all__ = ["DELETED_BELOW", "Statement", "policy_document", "policy_json", "policy_statements"]

DELETED_BELOW = ("backups/", "exports/", "probe/", "snapshots/")
"""Below what the app deletes: copies that retention lets go, exports that have ended, and what a
probe wrote. Never the log, nor anything that the log refers to."""

# Regions outside of the ordinary partition, by how their names begin.
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eusc-": "aws-eusc",
}

Condition = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Statement:
    """One permission.

    Attributes:
        sid: its name in the policy.
        actions: such as "s3:GetObject", sorted.
        resources: Amazon resource names, sorted; in them * stands for anything.
        operator, condition_key, pattern: when it holds; three empty texts: always.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    operator: str = ""
    condition_key: str = ""
    pattern: str = ""

    @property
    def condition(self) -> Condition:
        """As a policy writes it; empty if the permission always holds."""
        if not self.operator:
            return {}
        return {self.operator: {self.condition_key: self.pattern}}


def policy_statements(
    options: S3Options, *, export_bucket: str | None = None, image_bucket: str | None = None
) -> tuple[Statement, ...]:
    """What the app, its command line and its doctor do in this bucket, below this prefix.

    Buckets of their own, for exports or images, get statements of their own.
    Services by other names than AWS's get no action that they are known not to know: MinIO refuses
    a whole policy for one. Theirs is the ordinary partition, whatever they call their regions, and
    no key of AWS's.
    """
    prefix = _prefix(options)
    partition = _partition(options.region) if options.is_aws else "aws"
    bucket = f"arn:{partition}:s3:::{options.bucket}"
    objects = f"{bucket}/{_literal(prefix)}"
    inside = ("StringLike", "s3:prefix", f"{_literal(prefix)}*") if prefix else ("", "", "")
    looks = ["s3:GetBucketVersioning", "s3:GetEncryptionConfiguration"]
    looks += ["s3:GetBucketPublicAccessBlock"] if options.is_aws else []
    looks += ["s3:GetLifecycleConfiguration"]
    statements = [
        # Without ListBucket a missing object is answered with a refusal, and the log has no end.
        Statement("SeeWhatIsThere", ("s3:ListBucket", "s3:ListBucketVersions"), (bucket,), *inside),
        Statement(
            "ReadAndCreate",
            ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
            (f"{objects}*",),
        ),
        Statement(
            "TidyUp",
            ("s3:DeleteObject",),
            tuple(f"{objects}{below}*" for below in DELETED_BELOW),
        ),
        Statement("ExamineTheBucket", tuple(sorted(looks)), (bucket,)),
    ]
    if export_bucket and export_bucket != options.bucket:
        deletes = ("s3:DeleteObject",)
        statements += _beside("Exports", partition, export_bucket, f"{prefix}exports/", deletes)
    if image_bucket and image_bucket != options.bucket:
        statements += _beside("Images", partition, image_bucket, f"{prefix}images/")
    if options.kms_key_id and options.is_aws:
        statements.append(_key_statement(options.kms_key_id, options.region))
    return tuple(statements)


def policy_document(
    options: S3Options, *, export_bucket: str | None = None, image_bucket: str | None = None
) -> dict[str, object]:
    """The policy as IAM takes it; one action or resource stands without brackets."""
    statements = policy_statements(options, export_bucket=export_bucket, image_bucket=image_bucket)
    return {"Version": "2012-10-17", "Statement": [_written(one) for one in statements]}


def policy_json(
    options: S3Options, *, export_bucket: str | None = None, image_bucket: str | None = None
) -> str:
    """The policy as text to paste, two blanks to a level, without a line break at its end."""
    document = policy_document(options, export_bucket=export_bucket, image_bucket=image_bucket)
    return json.dumps(document, indent=2)


def _beside(
    what: str, partition: str, name: str, below: str, deletes: tuple[str, ...] = ()
) -> list[Statement]:
    """What is done in a bucket beside the state's, below one prefix."""
    bucket, literal = f"arn:{partition}:s3:::{name}", _literal(below)
    looks = ("s3:ListBucket", "s3:ListBucketVersions")
    return [
        Statement(f"See{what}", looks, (bucket,), "StringLike", "s3:prefix", f"{literal}*"),
        Statement(
            f"Keep{what}", (*deletes, "s3:GetObject", "s3:PutObject"), (f"{bucket}/{literal}*",)
        ),
    ]


def _written(statement: Statement) -> dict[str, object]:
    written: dict[str, object] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Action": _one_or_many(statement.actions),
        "Resource": _one_or_many(statement.resources),
    }
    return written | ({"Condition": statement.condition} if statement.condition else {})


def _one_or_many(texts: tuple[str, ...]) -> object:
    return texts[0] if len(texts) == 1 else list(texts)


def _key_statement(key: str, region: str) -> Statement:
    """Encrypting with a key of one's own; it may be named by its id, an alias or an ARN."""
    actions = ("kms:Decrypt", "kms:GenerateDataKey")
    _, separator, alias = key.partition("alias/")
    if separator:
        # An alias is no resource of a key's permissions; it can only be a condition.
        place = key.removesuffix(f":{separator}{alias}") if key.startswith("arn:") else ""
        keys = f"{place or f'arn:{_partition(region)}:kms:{region}:*'}:key/*"
        named = ("ForAnyValue:StringEquals", "kms:ResourceAliases", f"alias/{alias}")
        return Statement("UseTheKey", actions, (keys,), *named)
    arn = key if key.startswith("arn:") else f"arn:{_partition(region)}:kms:{region}:*:key/{key}"
    return Statement("UseTheKey", actions, (arn,))


def _prefix(options: S3Options) -> str:
    stripped = options.prefix.strip("/")
    return f"{stripped}/" if stripped else ""


def _literal(text: str) -> str:
    """A prefix as it stands, also where it holds what a policy takes for a pattern."""
    return "".join(f"${{{sign}}}" if sign in "$*?" else sign for sign in text)


def _partition(region: str) -> str:
    found = (name for start, name in _PARTITIONS.items() if region.startswith(start))
    return next(found, "aws")
