"""What stands before a real bucket: who may do what, in which region, and at what time.

moto and MiniStack answer everybody. This gate lets through what an IAM policy allows to the access
key in use, and nothing without one; it reads policies as IAM does, as far as this app's need it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from benchmarks.network import Answer, Proxy, Request
from tests.servers import ACCESS_KEY_ID, REGION, s3_error

__all__ = ["PolicyGate"]

_BUCKET_ACTIONS = {
    "list-type": "s3:ListBucket",
    "versions": "s3:ListBucketVersions",
    "versioning": "s3:GetBucketVersioning",
    "encryption": "s3:GetEncryptionConfiguration",
    "publicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "lifecycle": "s3:GetLifecycleConfiguration",
}
_OBJECT_ACTIONS = {"GET": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
_TOKEN = re.compile(r"\$\{([$*?])\}|([*?])")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request in a policy's words; `prefix` is what it lists below, None for all others."""

    action: str
    resource: str
    bucket: str
    key: str
    prefix: str | None = None


class PolicyGate(Proxy):
    """Lets through what `policy` allows to `ACCESS_KEY_ID`; `refused` are the actions it stopped.

    ignores_conditions: the store behind overwrites what exists, whatever is asked.
    ahead: how far the store's clock is ahead of the real one.
    unknown: questions about the bucket, such as "versioning", that the service does not know.
    """

    def __init__(
        self,
        upstream_url: str,
        policy: Mapping[str, Any],
        *,
        region: str = REGION,
        ignores_conditions: bool = False,
        ahead: timedelta = timedelta(0),
        unknown: Sequence[str] = (),
    ) -> None:
        super().__init__(upstream_url)
        self._policy = policy
        self._region = region
        self._ignores_conditions = ignores_conditions
        self._ahead = ahead
        self._unknown = tuple(unknown)
        self.refused: list[str] = []

    def __enter__(self) -> PolicyGate:
        super().__enter__()
        return self

    def respond(self, request: Request) -> Answer | None:
        asked = _asked(request)
        stopped = self._stopped(request, asked)
        if stopped is not None:
            return stopped
        if self._ignores_conditions:
            kept = tuple(pair for pair in request.headers if pair[0].lower() != "if-none-match")
            request = replace(request, headers=kept)
        answer = self.forward(request)
        if answer.status == 404 and asked.action == "s3:GetObject":
            listing = replace(
                asked,
                action="s3:ListBucket",
                resource=f"arn:aws:s3:::{asked.bucket}",
                prefix=asked.key,
            )
            if not self._allows(listing):
                return self._refusal("s3:ListBucket")
        later = format_datetime(datetime.now(UTC) + self._ahead, usegmt=True)
        headers = [pair for pair in answer.headers if pair[0].lower() != "date"]
        return replace(answer, headers=(*headers, ("Date", later)))

    def _stopped(self, request: Request, asked: _Asked) -> Answer | None:
        found = re.search(r"Credential=([^/]+)/\d+/([^/]+)/s3/", _authorization(request))
        if found is None:
            self.refused.append("anonymous")
            return _error(403, "AccessDenied")
        key, region = found.groups()
        if key != ACCESS_KEY_ID:
            return _error(403, "InvalidAccessKeyId")
        if region != self._region:
            message = f"the region '{region}' is wrong; expecting '{self._region}'"
            details = {"Region": self._region}
            return _error(400, "AuthorizationHeaderMalformed", message, details)
        if any(_BUCKET_ACTIONS[name] == asked.action for name in self._unknown):
            return _error(501, "NotImplemented")
        return None if self._allows(asked) else self._refusal(asked.action)

    def _refusal(self, action: str) -> Answer:
        self.refused.append(action)
        return _error(403, "AccessDenied", f"not authorized to perform: {action}")

    def _allows(self, asked: _Asked) -> bool:
        return any(
            _is_one_of(asked.action, statement["Action"])
            and _is_one_of(asked.resource, statement["Resource"])
            and _holds(statement.get("Condition", {}), asked)
            for statement in self._policy["Statement"]
            if statement["Effect"] == "Allow"
        )


def _asked(request: Request) -> _Asked:
    address = urlsplit(request.target)
    bucket, _, key = unquote(address.path).lstrip("/").partition("/")
    query = parse_qs(address.query, keep_blank_values=True)
    if key:
        action = _OBJECT_ACTIONS[request.method]
        if "versionId" in query:
            action = "s3:GetObjectVersion"
        return _Asked(action, f"arn:aws:s3:::{bucket}/{key}", bucket, key)
    action = next(_BUCKET_ACTIONS[name] for name in _BUCKET_ACTIONS if name in query)
    prefix = query["prefix"][0] if "prefix" in query else None
    return _Asked(action, f"arn:aws:s3:::{bucket}", bucket, "", prefix)


def _authorization(request: Request) -> str:
    # Not request.header: it answers in small letters.
    return next((text for name, text in request.headers if name.lower() == "authorization"), "")


def _is_one_of(text: str, patterns: str | Sequence[str]) -> bool:
    chosen = [patterns] if isinstance(patterns, str) else patterns
    return any(_is_like(text, pattern) for pattern in chosen)


def _is_like(text: str, pattern: str) -> bool:
    """As IAM compares: * and ? stand for anything, ${*}, ${?} and ${$} for themselves."""
    made, end = "", 0
    for token in _TOKEN.finditer(pattern):
        made += re.escape(pattern[end : token.start()])
        made += re.escape(token[1]) if token[1] else {"*": ".*", "?": "."}[token[2]]
        end = token.end()
    return re.fullmatch(made + re.escape(pattern[end:]), text) is not None


def _holds(condition: Mapping[str, Mapping[str, str]], asked: _Asked) -> bool:
    for operator, wanted in condition.items():
        assert operator == "StringLike", f"{operator} is not known here"
        assert list(wanted) == ["s3:prefix"]
        if asked.prefix is None or not _is_like(asked.prefix, wanted["s3:prefix"]):
            return False
    return True


def _error(
    status: int,
    code: str,
    message: str = "as the gate says",
    details: Mapping[str, str] | None = None,
) -> Answer:
    reply = s3_error(status, code, message, details=details)
    headers = {
        **reply.headers,
        "Content-Length": str(len(reply.body)),
        "Date": formatdate(usegmt=True),
    }
    return Answer(status, code, tuple(headers.items()), reply.body)
