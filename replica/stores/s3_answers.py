"""What an answer of S3 says: whether it comes from a store at all, its time and its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from replica.errors import StoreUnreachable
from replica.localfaults import local_faults

__all__ = ["date_in", "date_of", "not_s3", "save", "whole"]

_BLOCK_BYTES = 1 << 20


def not_s3(operation: str, key: str) -> StoreUnreachable:
    """The error for an answer that no object store gives."""
    return StoreUnreachable(
        operation,
        key,
        "It is tried again by itself; if it stays, check endpoint_url and this machine's network: "
        "perhaps something else than an object store answers.",
        "the answer does not come from an object store",
    )


def whole(
    get: Callable[[], Mapping[str, Any]], attempts: int, take: Callable[[Any], bytes]
) -> tuple[Mapping[str, Any], bytes]:
    """An answer with what `take` makes of its body.

    boto3 repeats what fails before a body begins, not afterwards; so `take` may be called again,
    with the body from its beginning.
    """
    from botocore.exceptions import IncompleteReadError, ResponseStreamingError

    for attempt in range(1, attempts + 1):
        answer = get()
        with closing(answer["Body"]) as stream:
            try:
                return answer, take(stream)
            except (IncompleteReadError, ResponseStreamingError):
                if attempt == attempts:
                    raise
    raise AssertionError("there is at least one attempt")


def save(stream: Any, path: Path) -> bytes:
    """Write a body into a file, block by block; nothing is kept of it. Raises LocalError."""
    with local_faults("write", path):
        file = path.open("wb")
    with file:
        while block := stream.read(_BLOCK_BYTES):
            # Only this is the disk's failure; the other may be the connection's.
            with local_faults("write", path):
                file.write(block)
        with local_faults("write", path):
            file.flush()
    return b""


def date_of(answer: Mapping[str, Any]) -> datetime | None:
    """When the store answered, by its own clock; None if the answer does not say."""
    return date_in(answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}))


def date_in(headers: Mapping[str, str]) -> datetime | None:
    """The time in an answer's headers; None if there is none that can be read."""
    text = headers.get("date")
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
