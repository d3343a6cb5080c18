"""What a bucket keeps: objects, and older versions of them, listed page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from replica.errors import StoreRejected
from replica.stores.s3_answers import not_s3

__all__ = ["LIST_VERSIONS", "KeptVersion", "VersionedStore", "kept_version", "version_pages"]

LIST_VERSIONS: Final = "list the versions of"
"""The operation, in words for errors."""

# Boto3's answers are nested mappings whose keys S3's documentation names.
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """One version of an object; `is_current` unless it was overwritten or deleted."""

    key: str
    size_bytes: int
    is_current: bool


@runtime_checkable
class VersionedStore(Protocol):
    """An object store that can list what it keeps of the past."""

    def kept_versions(self, prefix: str) -> list[KeptVersion]:
        """Every version of every object below prefix, without the marks that deletions leave.

        Raises what `ObjectStore.list` does; StoreRejected where the service knows no versions.
        """
        ...


def kept_version(entry: Answer, prefix: str, key: str) -> KeptVersion:
    """An entry of a listing, its key without `prefix`. StoreUnreachable if it is none."""
    if not {"Key", "Size", "IsLatest"} <= entry.keys():
        raise not_s3(LIST_VERSIONS, key)
    return KeptVersion(entry["Key"].removeprefix(prefix), entry["Size"], bool(entry["IsLatest"]))


def version_pages(
    name: str, key: str, list_page: Callable[[Mapping[str, Any]], Answer]
) -> Iterator[Answer]:
    """All pages of a listing of versions; `list_page` asks for one, given where it goes on.

    `name` is what full keys have to begin with, `key` what errors call it.
    """
    page: dict[str, Any] = {"Prefix": name}
    while True:
        answer = list_page(page)
        # An empty or foreign answer parses as a page without versions.
        if "IsTruncated" not in answer:
            raise not_s3(LIST_VERSIONS, key)
        yield answer
        if not answer["IsTruncated"]:
            return
        marker = (answer.get("NextKeyMarker"), answer.get("NextVersionIdMarker"))
        if not all(marker) or marker == (page.get("KeyMarker"), page.get("VersionIdMarker")):
            detail = "the listing has no next page to follow"
            raise StoreRejected(LIST_VERSIONS, key, detail=detail)
        page["KeyMarker"], page["VersionIdMarker"] = marker
