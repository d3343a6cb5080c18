"""How a bucket is set up, as far as it concerns what is kept in it.

An object store only stores; what its bucket keeps of the past, who may read it and what it removes
by itself is decided elsewhere, and found out here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = [
    "Bucket",
    "ConfiguredStore",
    "DefaultEncryption",
    "LifecycleRule",
    "PublicAccess",
    "Versioning",
]


class Versioning(enum.Enum):
    """Whether what is overwritten or deleted can be had back."""

    ON = "on"
    SUSPENDED = "suspended"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class DefaultEncryption:
    """What a bucket does to objects that do not ask for anything: "AES256", "aws:kms" …"""

    algorithm: str
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class PublicAccess:
    """Which of the four ways to the public are barred, whatever a policy or a list allows."""

    ignores_acls: bool
    refuses_acls: bool
    ignores_policies: bool
    refuses_policies: bool

    @property
    def is_blocked(self) -> bool:
        """Whether all four are."""
        return all(
            (self.ignores_acls, self.refuses_acls, self.ignores_policies, self.refuses_policies)
        )


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """One rule that is switched on, as far as it removes or moves something.

    Attributes:
        name: as its owner called it; may be empty.
        prefix: of full keys, the store's own prefix included; "" means all objects.
        needs_tags: it concerns tagged objects only, and nothing here is tagged.
        expires: it removes current objects after some time.
        moves_to: the storage classes that it moves current objects to.
        old_versions_days: after how many days it removes what was overwritten or deleted;
            None if it leaves that alone.
        moves_old_to: the storage classes that it moves what was overwritten or deleted to.
    """

    name: str
    prefix: str = ""
    needs_tags: bool = False
    expires: bool = False
    moves_to: tuple[str, ...] = ()
    old_versions_days: int | None = None
    moves_old_to: tuple[str, ...] = ()

    def may_touch(self, prefix: str) -> bool:
        """Whether objects of the app below this full prefix can fall under the rule."""
        meets = self.prefix.startswith(prefix) or prefix.startswith(self.prefix)
        return meets and not self.needs_tags

    def touches_all(self, prefix: str) -> bool:
        """Whether every object of the app below this full prefix falls under the rule."""
        return prefix.startswith(self.prefix) and not self.needs_tags


class Bucket(Protocol):
    """How a bucket is set up, asked anew each time.

    All methods raise AccessDenied, with the permission that is missing, StoreRejected where the
    service knows no such question, and otherwise what an ObjectStore raises.
    """

    @property
    def prefix(self) -> str:
        """What full keys begin with: "" or what ends in a slash."""
        ...

    def versioning(self) -> Versioning:
        """Whether older versions are kept."""
        ...

    def default_encryption(self) -> DefaultEncryption | None:
        """What happens to objects that ask for nothing; None: they are stored as they are."""
        ...

    def public_access(self) -> PublicAccess:
        """What keeps the public out, whatever else is set."""
        ...

    def lifecycle(self) -> tuple[LifecycleRule, ...]:
        """The rules that are switched on."""
        ...

    def is_public(self, key: str) -> bool:
        """Whether an object that is there, or the list of all, is given out to anybody."""
        ...


@runtime_checkable
class ConfiguredStore(Protocol):
    """An object store in a bucket that can tell how it is set up."""

    @property
    def bucket(self) -> Bucket:
        """The bucket's own settings."""
        ...

    @property
    def clock_offset_seconds(self) -> float | None:
        """The store's clock minus this machine's at the last answer; None before the first."""
        ...
