"""What can be wrong with a picture, in one tree; none of it keeps a page from being drawn."""

from __future__ import annotations

__all__ = [
    "AddressRefused",
    "CacheUnusable",
    "ImageError",
    "ImageRejected",
    "OriginRefused",
    "OriginUnreachable",
]


class ImageError(Exception):
    """A picture cannot be had.

    Attributes:
        operation: what was attempted, in words.
        key: what it was attempted on: an address, a host or a folder.
        problem: what is wrong, a full sentence.
        remedy: what a person can do about it, a full sentence.
    """

    def __init__(self, operation: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{operation} ({key}): {problem} {remedy}")
        self.operation = operation
        self.key = key
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str, str, str]]:
        return type(self), (self.operation, self.key, self.problem, self.remedy)


class AddressRefused(ImageError):
    """No request is sent there: not a host that was chosen, or an address that is not public."""


class OriginUnreachable(ImageError):
    """No answer, or none that came whole and in time; later it may."""


class OriginRefused(ImageError):
    """The server answered, and not with a picture: it is not there, or it leads in circles."""


class ImageRejected(ImageError):
    """What came is no picture that is shown: another type, too large, moving or damaged."""


class CacheUnusable(ImageError):
    """The folder for pictures is full, or cannot be read or written."""
