"""What is asked of a bucket, told request by request: repeated, refused and unanswered ones too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.compat import HTTPHeaders
    from botocore.model import OperationModel
    from mypy_boto3_s3 import S3Client

__all__ = ["S3Request", "tell_requests"]


@dataclass(frozen=True, slots=True)
class S3Request:
    """One request as it went over the wire.

    Attributes:
        operation: S3's own name of what was asked, such as "GetObject".
        key: the object's full key; of a listing the prefix, "" for questions about the bucket.
        sent_bytes: content that went up.
        received_bytes: content that came down. Of an object it is what the store announced:
            nothing of it has been read yet.
        seconds: until the answer began.
        status: of HTTP; None if there was no answer.
    """

    operation: str
    key: str
    sent_bytes: int
    received_bytes: int
    seconds: float
    status: int | None


@dataclass(slots=True)
class _Attempt:
    """A request that is on its way."""

    sent_bytes: int
    began_at: float


class _Here(threading.local):
    """What this thread asks: botocore does all of a request in the thread that calls it."""

    key = ""
    attempt: _Attempt | None = None


def tell_requests(client: S3Client, told: Callable[[S3Request], None]) -> None:
    """Call `told` after each HTTP request of a client, in the thread that sent it.

    It must not wait: the request's answer does.
    """
    here = _Here()

    def note_key(params: Mapping[str, Any], **_: Any) -> None:
        here.key = str(params.get("Key") or params.get("Prefix") or "")

    def note_begin(request: AWSPreparedRequest, **_: Any) -> None:
        here.attempt = _Attempt(_sent_bytes(request.headers), time.perf_counter())

    def note_answer(
        operation_model: OperationModel, response_dict: Mapping[str, Any], **_: Any
    ) -> None:
        tell(operation_model.name, _received_bytes(response_dict), response_dict["status_code"])

    def note_end(event_name: str, exception: Exception | None, **_: Any) -> None:
        # What was answered has been told: an answer that nobody understands raises before this.
        if exception is not None:
            tell(event_name.rpartition(".")[2], 0, None)

    def tell(operation: str, received_bytes: int, status: int | None) -> None:
        attempt, here.attempt = here.attempt, None
        if attempt is not None:
            seconds = time.perf_counter() - attempt.began_at
            told(
                S3Request(operation, here.key, attempt.sent_bytes, received_bytes, seconds, status)
            )

    events = client.meta.events
    # Last, after what is checked before anything is sent.
    events.register_last("before-parameter-build.s3", note_key)
    events.register_last("before-send.s3", note_begin)
    events.register_first("before-parse.s3", note_answer)
    events.register_first("response-received.s3", note_end)


def _sent_bytes(headers: HTTPHeaders) -> int:
    # A body in chunks with checksums between them says its own size apart.
    return int(headers.get("X-Amz-Decoded-Content-Length") or headers.get("Content-Length") or 0)


def _received_bytes(answer: Mapping[str, Any]) -> int:
    body = answer["body"]
    return len(body) if isinstance(body, bytes) else _announced(answer["headers"])


def _announced(headers: Mapping[str, Any]) -> int:
    length = str(headers.get("content-length", ""))
    return int(length) if length.isdecimal() else 0
