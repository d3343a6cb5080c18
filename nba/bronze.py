"""Raw responses as they came, kept for ever: what silver can be rebuilt from at any time.

A document's object holds one line of JSON (source, endpoint, parameters, time, hash) and then the
exact bytes of the response, compressed with zstd, so `zstd -dc` shows both. Its key tells the same,
so that a listing is enough to know what there is.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

import zstandard

from nba.errors import NbaError
from nba.seasons import slate_date_of
from nba.sources.wanted import Endpoint, Wanted

__all__ = [
    "BronzeDamaged",
    "Document",
    "DocumentName",
    "decode",
    "encode",
    "key_of",
    "name_of",
    "safe_text",
]

_COMPRESSION_LEVEL: Final = 9
# A whole season's game log has about ten million bytes. More than this is no response.
_LARGEST_BYTES: Final = 256 * 1024 * 1024
_MOMENT: Final = "%Y%m%dT%H%M%SZ"
_KEY: Final = re.compile(
    r"bronze/source=(?P<source>[^/]*)/date=(?P<date>\d{4}-\d{2}-\d{2})/"
    r"(?P<endpoint>[^/-]+)(?:-(?P<parameters>[^/]+))?"
    r"-(?P<moment>\d{8}T\d{6}Z)-(?P<sha12>[0-9a-f]{12})\.zst"
)


class BronzeDamaged(NbaError):
    """An object of bronze is not what was kept there."""


@dataclass(frozen=True, slots=True)
class Document:
    """One response: what was asked, who answered when, and the exact bytes.

    `source` is "nba-live", "nba-stats" or "folder"; `retrieved_at` is aware and in UTC.
    """

    source: str
    wanted: Wanted
    retrieved_at: datetime
    body: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the body, in hex."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class DocumentName:
    """What a key tells.

    Attributes:
        source: as in the document.
        date: the US Eastern date of `retrieved_at`.
        endpoint: as in the document.
        parameters: "name=value-name=value" without those that have no value; not to be taken apart.
        retrieved_at: in UTC, whole seconds.
        sha12: the first twelve characters of the hash.
    """

    source: str
    date: date
    endpoint: Endpoint
    parameters: str
    retrieved_at: datetime
    sha12: str


def safe_text(value: str) -> str:
    """`value` as it may stand in a key or a file name: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.-]", "_", value)


def key_of(document: Document) -> str:
    """The key of a document: another one for another answer, or for the same at another second."""
    wanted, moment = document.wanted, document.retrieved_at.astimezone(UTC)
    parts = [
        wanted.endpoint.value,
        *(f"{name}={safe_text(value)}" for name, value in wanted.parameters if value),
        moment.strftime(_MOMENT),
        document.sha256[:12],
    ]
    day = slate_date_of(moment).isoformat()
    return f"bronze/source={safe_text(document.source)}/date={day}/{'-'.join(parts)}.zst"


def name_of(key: str) -> DocumentName | None:
    """What a key tells; None for the key of something else, or of an endpoint yet unknown."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    try:
        return DocumentName(
            source=found["source"],
            date=date.fromisoformat(found["date"]),
            endpoint=Endpoint(found["endpoint"]),
            parameters=found["parameters"] or "",
            retrieved_at=datetime.strptime(found["moment"], _MOMENT).replace(tzinfo=UTC),
            sha12=found["sha12"],
        )
    except ValueError:
        return None


def encode(document: Document) -> bytes:
    """The object of a document: its description and its body, compressed."""
    description = {
        "source": document.source,
        "endpoint": document.wanted.endpoint.value,
        "parameters": [list(pair) for pair in document.wanted.parameters],
        "retrieved_at": document.retrieved_at.astimezone(UTC).isoformat(),
        "sha256": document.sha256,
    }
    content = json.dumps(description).encode() + b"\n" + document.body
    return zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL, write_checksum=True).compress(content)


def decode(data: bytes, key: str = "a response") -> Document:
    """The document of an object. `key` is for the error's text.

    Raises:
        BronzeDamaged: it cannot be read, or its body has not the hash that it was kept with.
    """
    try:
        if zstandard.frame_content_size(data) > _LARGEST_BYTES:
            raise _damaged(key, "it says that it is larger than any response")
        content = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
        head, _, body = content.partition(b"\n")
        description = json.loads(head)
        document = Document(
            source=_text(description["source"]),
            wanted=Wanted(
                Endpoint(description["endpoint"]),
                tuple((_text(name), _text(value)) for name, value in description["parameters"]),
            ),
            retrieved_at=datetime.fromisoformat(description["retrieved_at"]),
            body=body,
        )
        sha256 = _text(description["sha256"])
    except (zstandard.ZstdError, ValueError, LookupError, TypeError) as error:
        raise _damaged(key, f"it cannot be read ({error})") from error
    if document.retrieved_at.tzinfo is None:
        raise _damaged(key, "its time has no zone")
    if document.sha256 != sha256:
        raise _damaged(key, "its content has changed since it was kept")
    return document


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _damaged(key: str, problem: str) -> BronzeDamaged:
    return BronzeDamaged(
        "Reading a kept response",
        key,
        problem,
        "Restore it from a copy of the bucket, or delete it: it is then missing from a rebuild",
    )
