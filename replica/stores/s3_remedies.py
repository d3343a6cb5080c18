"""What a person can do about a store's refusal, in the words of its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replica.stores.s3_bucket import LOOKS

if TYPE_CHECKING:
    from replica.stores.s3_failures import Asked

__all__ = ["credential_remedy", "kms_key", "network_remedy", "permission_remedy"]


def network_remedy(asked: Asked) -> str:
    """For a store that does not answer at all."""
    place = (
        f"the region's name ({asked.options.region})"
        if asked.options.endpoint_url is None
        else "endpoint_url"
    )
    return (
        "Nothing is lost; it is tried again by itself. If it stays, check this machine's network "
        f"and {place}."
    )


def credential_remedy(code: str, asked: Asked) -> str:
    """For the error code with which credentials were refused."""
    if code == "SignatureDoesNotMatch":
        return "Copy secret_access_key again, whole: it does not belong to the access_key_id."
    if code.startswith("ExpiredToken") or code == "TokenRefreshRequired":
        return "Renew the temporary credentials, or use an access key that does not expire."
    if code == "InvalidToken":
        return "Copy session_token again, or leave it out with a permanent access key."
    if asked.options.access_key_id is None:
        return "Replace the credentials of this machine (environment, profile or role)."
    return "Copy access_key_id and secret_access_key again, or make a new key."


def permission_remedy(asked: Asked, action: str) -> str:
    """For a refusal that misses ``action``, such as "s3:GetObject"."""
    looks = action in (look.action for look in LOOKS)
    if looks and not asked.options.is_aws:
        # Keys of other services often cannot be given this at all.
        return "To have this examined, look it up in the bucket's console."
    return f"{_permission(asked, action)} `python cli.py doctor --policy` prints the whole policy."


def _permission(asked: Asked, action: str) -> str:
    bucket = asked.options.bucket
    prefix = asked.options.prefix.strip("/")
    objects = f"the objects of {bucket}{f' below {prefix}/' if prefix else ''}"
    if action.startswith("kms:"):
        return (
            f"Allow kms:GenerateDataKey and kms:Decrypt on the KMS key {kms_key(asked)} to the "
            "access key in use, in its policy and in the KMS key's."
        )
    if action == "s3:ListBucket":
        because = (
            ": without it a missing object is answered with a refusal"
            if asked.operation == "get"
            else ""
        )
        return f"Allow s3:ListBucket on the bucket {bucket} to the access key in use{because}."
    if asked.operation == "get":
        return (
            f"Allow s3:GetObject on {objects} to the access key in use, and "
            "s3:ListBucket on the bucket itself: without s3:ListBucket a missing object is "
            f"answered in the same way.{_kms_hint(asked, 'kms:Decrypt')}"
        )
    if asked.operation == "delete":
        return f"Allow s3:DeleteObject on {objects} to the access key in use."
    if action in (look.action for look in LOOKS):
        return (
            f"To have this examined, allow {action} on the bucket {bucket} to the access key in "
            "use, or look it up in the bucket's console."
        )
    if action in ("s3:ListBucketVersions", "s3:GetObjectVersion"):
        return (
            f"To look through older versions, allow s3:ListBucketVersions on the bucket {bucket} "
            f"and s3:GetObjectVersion on {objects} to the access key in use."
        )
    return (
        f"Allow s3:PutObject on {objects} to the access key in use; a read-only key "
        f"cannot save.{_kms_hint(asked, 'kms:GenerateDataKey')}"
    )


def kms_key(asked: Asked) -> str:
    """The name of the key that encrypts, for a sentence."""
    return asked.options.kms_key_id or "of the bucket"


def _kms_hint(asked: Asked, action: str) -> str:
    if not asked.options.kms_key_id:
        return ""
    return f" {action} on the KMS key {kms_key(asked)} is needed too."
