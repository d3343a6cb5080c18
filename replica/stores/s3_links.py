"""Links: addresses that read one object, and stop working at a moment that is signed into them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from replica.errors import InvalidCredentials
from replica.stores.s3_clients import check_options, make_signer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from replica.stores.s3 import S3Options

__all__ = ["LONGEST_LINK", "CredentialsLife", "S3Links", "attachment"]

LONGEST_LINK = timedelta(days=7)
"""S3 refuses links that are to last longer."""


@dataclass(frozen=True, slots=True)
class CredentialsLife:
    """How long what signs a link is good for; a link ends with it, whatever is signed into it.

    Attributes:
        is_temporary: whether it ends by itself; an ordinary access key does not.
        lasts: how much longer, by this machine's clock; None if it does not end, or nobody says
            when.
    """

    is_temporary: bool
    lasts: timedelta | None


class S3Links:
    """Signs links to objects below a bucket's prefix. Any thread may use it.

    Signing sends nothing to the store. Where this machine's role is the credential, the first time
    and when it has to be renewed AWS is asked for it.
    """

    def __init__(
        self, options: S3Options, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._options = options
        self._clock = clock
        prefix = options.prefix.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._lock = threading.Lock()
        self._made: tuple[S3Client, Any] | None = None

    def credentials_life(self) -> CredentialsLife:
        """How long the credentials that sign now are good for. Raises InvalidCredentials."""
        from botocore.exceptions import BotoCoreError

        operation, key = "sign a link with", "the credentials"
        _, session = self._signer(operation, key)
        try:
            credentials = session.get_credentials()
            # Here a role's are renewed if they are about to end; RuntimeError is how botocore says
            # that the new ones have ended too.
            token = None if credentials is None else credentials.get_frozen_credentials().token
        except (BotoCoreError, RuntimeError) as error:
            raise InvalidCredentials(operation, key, detail=str(error)) from error
        if credentials is None:
            raise InvalidCredentials(operation, key, detail="there are none")
        if not token:
            return CredentialsLife(is_temporary=False, lasts=None)
        # botocore keeps it to itself. Where a later version no longer has it, the end is unknown.
        ends_at = getattr(credentials, "_expiry_time", None)
        lasts = ends_at - self._clock() if isinstance(ends_at, datetime) else None
        return CredentialsLife(is_temporary=True, lasts=lasts)

    def link(self, key: str, *, lasts: timedelta, media_type: str) -> str:
        """An address that downloads an object as a file, for so long by this machine's clock.

        LONGEST_LINK at most; a fraction of a second is cut off. Whether there is such an object is
        not asked. Raises InvalidCredentials, and ValueError for less than a second.
        """
        from botocore.exceptions import BotoCoreError

        client, _ = self._signer("sign a link to", key)
        seconds = int(min(lasts, LONGEST_LINK).total_seconds())
        if seconds < 1:
            raise ValueError(f"a link cannot last {lasts}")
        named = {
            "Bucket": self._options.bucket,
            "Key": self._prefix + key,
            "ResponseContentDisposition": attachment(key.rpartition("/")[2]),
            "ResponseContentType": media_type,
        }
        try:
            return client.generate_presigned_url(
                "get_object", Params=named, ExpiresIn=seconds, HttpMethod="GET"
            )
        except BotoCoreError as error:
            detail = str(error)
            raise InvalidCredentials("sign a link to", key, detail=detail) from error

    def _signer(self, operation: str, key: str) -> tuple[S3Client, Any]:
        with self._lock:
            if self._made is None:
                check_options(self._options, operation, key)
                self._made = make_signer(self._options)
            return self._made


def attachment(file_name: str) -> str:
    """The header that has a browser save what it gets, under this name, and never show it."""
    plain = "".join(sign if _is_plain(sign) else "_" for sign in file_name)
    header = f'attachment; filename="{plain}"'
    return header if plain == file_name else f"{header}; filename*=UTF-8''{quote(file_name)}"


def _is_plain(sign: str) -> bool:
    return sign.isascii() and sign.isprintable() and sign not in '"\\'
