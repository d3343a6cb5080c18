"""Every error the engine raises, in one tree.

Each error names the operation that failed, the object key or file it concerned, and a remedy
a person can act on; ``str()`` is a full sentence with all three. Callers match types, never text.
"""

from typing import ClassVar

__all__ = [
    "AccessDenied",
    "BucketMissing",
    "ClockSkewed",
    "Contended",
    "DiskFailed",
    "DiskFull",
    "Diverged",
    "DurabilityTimeout",
    "EntryRefused",
    "FileOwned",
    "ForeignBackup",
    "ForeignLog",
    "Forked",
    "InvalidCredentials",
    "LeaseHeld",
    "LocalCorrupt",
    "LocalError",
    "LogNotEmpty",
    "MigrationMismatch",
    "MomentUnknown",
    "NewerSchema",
    "NotADatabase",
    "NotASnapshot",
    "NotRestored",
    "ObjectExists",
    "ObjectNotFound",
    "PendingChanges",
    "ReadOnlyDisk",
    "ReplicaClosed",
    "ReplicaError",
    "RestoreOutdated",
    "RolledBack",
    "SchemaChanged",
    "SnapshotCorrupt",
    "SnapshotError",
    "StateError",
    "StoreError",
    "StoreRejected",
    "StoreThrottled",
    "StoreUnreachable",
    "TransactionSetAside",
    "TransactionTooLarge",
    "UnfitTables",
    "WritesStopped",
    "WrongRegion",
]


class ReplicaError(Exception):
    """Base of all engine errors.

    ``operation`` is a verb ("get", "publish"), ``key`` an object key or a file, ``remedy`` a
    sentence; each type brings a remedy of its own for callers that have no better one.
    ``detail`` adds what only this occurrence knows.
    """

    summary: ClassVar[str] = "something unexpected happened"
    standard_remedy: ClassVar[str] = "Look at the cause below and report it as a defect."

    def __init__(self, operation: str, key: str, remedy: str = "", detail: str = "") -> None:
        self.operation = operation
        self.key = key
        self.remedy = remedy or self.standard_remedy
        self.detail = detail
        # Exceptions are pickled by calling the class with args: they must match the signature.
        super().__init__(operation, key, remedy, detail)

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"Could not {self.operation} {self.key}: {self.summary}{detail}. {self.remedy}"


class StoreError(ReplicaError):
    """The object store did not do what was asked."""

    summary = "the store did not answer as expected"


class ObjectNotFound(StoreError):
    """The store itself says that there is no such object; a refusal is AccessDenied."""

    summary = "there is no such object in the store"
    standard_remedy = "Check the bucket and the prefix."


class ObjectExists(StoreError):
    """A create found an object under its key; that object is unchanged."""

    summary = "an object with this key exists already"
    standard_remedy = "Nothing was overwritten; read the object that is there."


class AccessDenied(StoreError):
    """The store refused; ``action`` is the permission that is missing, e.g. "s3:GetObject"."""

    summary = "the store refused access"

    def __init__(
        self, operation: str, key: str, action: str, remedy: str = "", detail: str = ""
    ) -> None:
        self.action = action
        super().__init__(
            operation, key, remedy or f"Grant {action} to the key in use.", detail or action
        )
        self.args = (operation, key, action, remedy, detail)


class BucketMissing(StoreError):
    summary = "the bucket or folder does not exist"
    standard_remedy = "Create it, or correct its name in the configuration."


class WrongRegion(StoreError):
    summary = "the bucket is in another region"
    standard_remedy = "Correct the region in the configuration."


class InvalidCredentials(StoreError):
    summary = "the store does not accept the credentials"
    standard_remedy = "Replace the access key in the configuration."


class ClockSkewed(StoreError):
    summary = "this machine's clock differs too much from the store's"
    standard_remedy = "Set the clock of this machine."


class StoreUnreachable(StoreError):
    """No answer, or one cut short: the request may or may not have had its effect."""

    summary = "the store cannot be reached"
    standard_remedy = "Nothing is lost; it is tried again by itself."


class StoreThrottled(StoreError):
    summary = "the store asks to slow down"
    standard_remedy = "Nothing is lost; it is tried again by itself."


class StoreRejected(StoreError):
    """Any other refusal."""

    summary = "the store rejected the request"
    standard_remedy = "Read the store's own words and check its configuration."


class SnapshotError(ReplicaError):
    """An object in the store cannot be used as a snapshot."""

    summary = "the snapshot cannot be used"


class NotASnapshot(SnapshotError):
    summary = "the object is not a snapshot"
    standard_remedy = "Check the prefix: another program may have written there."


class SnapshotCorrupt(SnapshotError):
    summary = "the snapshot is damaged"
    standard_remedy = "Put the object back from an older version of it, or use a backup."


class NotADatabase(SnapshotError):
    summary = "the content is not a database of this engine"
    standard_remedy = "Check the prefix: another program may have written there."


class ForeignBackup(SnapshotError):
    """A sound copy, but of another log than the one that is followed."""

    summary = "it is a copy of another database"
    standard_remedy = (
        "Nothing was changed. Check bucket and prefix, or download it as a file to look into it."
    )


class LocalError(ReplicaError):
    """The local file or disk failed."""

    summary = "the local database failed"


class FileOwned(LocalError):
    summary = "another process owns the database file"
    standard_remedy = "Stop that process, or give this one a path of its own."


class DiskFull(LocalError):
    summary = "the disk is full"
    standard_remedy = "Free some space; nothing was changed."


class ReadOnlyDisk(LocalError):
    summary = "the disk or folder cannot be written to"
    standard_remedy = "Choose a folder that this user may write to."


class DiskFailed(LocalError):
    """The disk answered with an input/output error."""

    summary = "the disk reported an error"
    standard_remedy = "Check the disk; nothing was changed."


class LocalCorrupt(LocalError):
    summary = "the local database is damaged"
    standard_remedy = "Start again: the file is set aside and the store's copy is restored."


class SchemaChanged(LocalError):
    summary = "the schema may only be changed by a migration"
    standard_remedy = "Put the statement into a migration."


class UnfitTables(LocalError):
    """Tables that cannot be replicated without losing changes; all findings are in ``detail``."""

    summary = "the tables cannot be replicated"
    standard_remedy = "Change the schema, or leave the table out of the replicated ones."


class TransactionTooLarge(LocalError):
    summary = "the transaction is too large for one log entry"
    standard_remedy = "Nothing was changed. Split it into several transactions."


class StateError(ReplicaError):
    """The replica is in a state that does not allow this."""

    summary = "the replica is not in a state for this"


class NewerSchema(StateError):
    """Made by a newer version of the application; not damage, so nothing older is used."""

    summary = "it was written by a newer version of the application"
    standard_remedy = "Update the application."


class NotRestored(StateError):
    summary = "the database has not been restored yet"
    standard_remedy = "Call restore() first; while the store is away it is tried again by itself."


class ReplicaClosed(StateError):
    summary = "the replica is closed"
    standard_remedy = "Open it again."


class EntryRefused(StateError):
    """An object in the log is not the entry that belongs there; read twice, never skipped."""

    summary = "the log entry is damaged or not the one that belongs there"
    standard_remedy = (
        "Nothing is lost here and nothing is published. Put the entry back with "
        "`python cli.py doctor --repair`."
    )


class Diverged(StateError):
    """A sound entry does not fit the local content: the two are no longer the same database."""

    summary = "the log entry does not fit the local database"
    standard_remedy = (
        "Local changes are kept and nothing is published. Take over from the store: they are "
        "backed up there first."
    )


class ForeignLog(StateError):
    """The store holds the history of another database."""

    summary = "the store holds another database's history"
    standard_remedy = (
        "Nothing was published. Correct bucket and prefix, or take over the store's content."
    )


class PendingChanges(StateError):
    """A file is to be replaced that holds changes which are in no store."""

    summary = "the file holds changes that are saved nowhere else"
    standard_remedy = "Open it with the application, which saves them, or give another name."


class Forked(StateError):
    """Two writers of a store without conditional writes used the same number; both are kept."""

    summary = "two writers wrote the same entry of the log"
    standard_remedy = "Stop one of the writers, keep one of the two objects and move the other."


class LeaseHeld(StateError):
    """Another process writes to a store that allows only one writer."""

    summary = "another process is the writer of this store"
    standard_remedy = "Changes wait here. Stop the other process, or wait until it has ended."


class Contended(StateError):
    """Other writers were first every time; the change stays pending."""

    summary = "other writers were first each time"
    standard_remedy = "Nothing is lost; it is tried again by itself."


class MigrationMismatch(StateError):
    """The log has a migration of this version with other SQL."""

    summary = "the log holds another migration under this version"
    standard_remedy = (
        "Use the application that wrote the log, or give this one a prefix of its own."
    )


class LogNotEmpty(StateError):
    summary = "the store has a log already"
    standard_remedy = "Take over from the store instead, or empty its prefix first."


class MomentUnknown(StateError):
    summary = "the log does not reach that moment"
    standard_remedy = "Choose a sequence or a time within the log."


class RestoreOutdated(StateError):
    """What a restore was to do is no longer what it would do; nothing was claimed."""

    summary = "somebody has written since the restore was planned"
    standard_remedy = "Nothing was changed. Look at a new plan."


class TransactionSetAside(StateError):
    """Somebody else's changes came first and this transaction cannot be applied on top of them."""

    summary = "the change could not be applied after another writer's"
    standard_remedy = "Its values are kept in sync_conflicts; look at them and enter them again."


class RolledBack(StateError):
    """The store no longer has what this replica published or restored."""

    summary = "the store has lost what this database is based on"
    standard_remedy = (
        "Nothing was published. Bring the objects back from their older versions, or correct "
        "bucket and prefix; for a fresh start, use an empty state folder."
    )


class DurabilityTimeout(StateError):
    summary = "the change is not in the store yet"
    standard_remedy = "It stays pending and is tried again by itself."


class WritesStopped(StateError):
    summary = "changes are not accepted now"
    standard_remedy = "Mend what the status shows as last error."
