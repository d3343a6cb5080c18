"""A damaged or missing log entry is put back only from bytes that are proved to be the original."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from replica.envelope import NO_PARENT, Change, Entry, Kind, entry_sha256, pack_entry
from replica.errors import AccessDenied, EntryRefused, NewerSchema, StoreRejected, StoreUnreachable
from replica.log import Log, SharedLog, log_key, make_log
from replica.probe import StoreMode
from replica.repair import Repair, repair_entry
from replica.store import PutMode
from tests.stores import ManualClock, MemoryStore, corrupted, denied, truncated, unreachable

LOG_ID, WRITER = "a" * 32, "0123456789abcdef"


def entry(sequence: int, parent: bytes | None, **changes: Any) -> bytes:
    """A sound entry after ``parent``; its content differs with ``text``."""
    text = changes.pop("text", f"entry {sequence}")
    settings: dict[str, Any] = {
        "kind": Kind.CHANGES,
        "log_id": LOG_ID,
        "sequence": sequence,
        "parent_sha256": NO_PARENT if parent is None else entry_sha256(parent),
        "parent_stored_at_s": sequence,
        "writer_id": WRITER,
        "schema_version": 1,
        "changes": (Change("00000000-0000-0000-0000-000000000001", text.encode()),),
    }
    return pack_entry(Entry(**(settings | changes)))


def chain(length: int) -> list[bytes]:
    found: list[bytes] = []
    for sequence in range(1, length + 1):
        found.append(entry(sequence, found[-1] if found else None))
    return found


ENTRIES = chain(4)


class Bucket:
    """A store in memory with a log of four entries."""

    def __init__(self, mode: StoreMode = StoreMode.MULTI_WRITER, *, versioned: bool = True) -> None:
        clock = ManualClock()
        self.store = MemoryStore(clock, versioned=versioned)
        self.log: Log = make_log(self.store, mode, clock)
        self._writer = None if mode is StoreMode.MULTI_WRITER else WRITER
        for sequence, body in enumerate(ENTRIES, start=1):
            self.log.claim(sequence, body, WRITER)

    def key(self, sequence: int) -> str:
        return log_key(sequence, self._writer)

    def overwrite(self, sequence: int, body: bytes) -> None:
        self.store.put(self.key(sequence), body, PutMode.OVERWRITE)

    def repair(
        self,
        sequence: int,
        kept: Sequence[bytes] = (),
        parent_sha256: str | None = None,
        expected_sha256: str | None = None,
    ) -> Repair:
        return repair_entry(
            self.store,
            self.log,
            sequence=sequence,
            log_id=LOG_ID,
            parent_sha256=parent_sha256,
            expected_sha256=expected_sha256,
            kept=kept,
        )

    def refuses(self, sequence: int, why: str, **known: Any) -> None:
        """It raises and changes nothing at all."""
        before = dict(self.store.objects)
        with pytest.raises(EntryRefused, match=why) as caught:
            self.repair(sequence, **known)
        assert "Nothing was changed" in caught.value.remedy
        assert self.store.objects == before

    def is_whole(self) -> bool:
        return [self.log.fetch(sequence).body for sequence in (1, 2, 3, 4)] == ENTRIES


@pytest.fixture(params=StoreMode)
def bucket(request: pytest.FixtureRequest) -> Bucket:
    return Bucket(request.param)


FOREIGN = entry(2, ENTRIES[0], log_id="b" * 32)
WRONG_PARENT = entry(2, ENTRIES[3])
WRONG_SEQUENCE = ENTRIES[2]
DAMAGE = {
    "empty": b"",
    "truncated": truncated(ENTRIES[1]),
    "corrupted": corrupted(ENTRIES[1]),
    "another program's": b"<html>",
    "another log's": FOREIGN,
    "another parent's": WRONG_PARENT,
    "another number's": WRONG_SEQUENCE,
    "another entry": entry(2, ENTRIES[0], text="never in the log"),
}


@pytest.mark.parametrize("sequence", [1, 2, 3, 4])
def test_a_sound_entry_is_left_alone(bucket: Bucket, sequence: int) -> None:
    before = dict(bucket.store.objects)
    assert bucket.repair(sequence, kept=ENTRIES) == Repair(sequence, "intact")
    sha256 = entry_sha256(ENTRIES[sequence - 1])
    assert bucket.repair(sequence, expected_sha256=sha256) == Repair(sequence, "intact")
    assert bucket.store.objects == before


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_entry_comes_back_from_a_kept_copy(bucket: Bucket, damage: bytes) -> None:
    bucket.overwrite(2, damage)
    assert bucket.repair(2, kept=ENTRIES) == Repair(2, "kept copy")
    assert bucket.is_whole()
    assert bucket.repair(2, kept=ENTRIES) == Repair(2, "intact")


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_entry_comes_back_from_an_older_version(bucket: Bucket, damage: bytes) -> None:
    bucket.overwrite(2, damage)
    bucket.overwrite(2, b"overwritten once more")
    assert bucket.repair(2) == Repair(2, "version")
    assert bucket.is_whole()


@pytest.mark.parametrize("sequence", [1, 2, 3, 4])
@pytest.mark.parametrize("kept", [ENTRIES, []], ids=["kept copy", "version"])
def test_each_entry_can_be_brought_back(
    bucket: Bucket, sequence: int, kept: Sequence[bytes]
) -> None:
    bucket.overwrite(sequence, corrupted(ENTRIES[sequence - 1]))
    source = "kept copy" if kept else "version"
    assert bucket.repair(sequence, kept).source == source
    assert bucket.is_whole()


@pytest.mark.parametrize("sequence", [1, 2, 3, 4])
@pytest.mark.parametrize("kept", [ENTRIES, []], ids=["kept copy", "version"])
def test_a_missing_entry_comes_back(bucket: Bucket, sequence: int, kept: Sequence[bytes]) -> None:
    bucket.store.delete(bucket.key(sequence))
    source = "kept copy" if kept else "version"
    assert bucket.repair(sequence, kept).source == source
    assert bucket.is_whole()


@pytest.mark.parametrize("copies", [True, False])
def test_several_damaged_entries_come_back_one_after_the_other(
    bucket: Bucket, copies: bool
) -> None:
    for sequence in (1, 2, 3, 4):
        bucket.overwrite(sequence, corrupted(ENTRIES[sequence - 1]))
    for sequence in (1, 2, 3, 4):
        bucket.repair(sequence, kept=ENTRIES if copies else [])
    assert bucket.is_whole()


@pytest.mark.parametrize("copy", [b"", *DAMAGE.values()], ids=["no", *DAMAGE])
def test_what_is_not_the_original_is_never_put_back(copy: bytes) -> None:
    bucket = Bucket(versioned=False)
    bucket.store.damage(bucket.key(2), truncated)
    bucket.refuses(2, "no copy of the original", kept=[copy] if copy else [])


def test_the_last_entry_is_judged_by_its_parent_and_by_what_is_remembered() -> None:
    bucket = Bucket(versioned=False)
    bucket.store.damage(bucket.key(4), corrupted)
    another = entry(4, ENTRIES[2], text="never in the log")
    sha256 = entry_sha256(ENTRIES[3])
    bucket.refuses(4, "no copy", kept=[another], expected_sha256=sha256)
    bucket.refuses(4, "no copy", kept=[entry(4, ENTRIES[1])])
    bucket.refuses(4, "two different copies", kept=[another, ENTRIES[3]])
    bucket.repair(4, kept=[another, ENTRIES[3], ENTRIES[3]], expected_sha256=sha256)
    assert bucket.is_whole()


def test_a_remembered_parent_counts_where_the_log_has_none() -> None:
    bucket = Bucket(versioned=False)
    for sequence in (2, 3, 4):
        bucket.store.damage(bucket.key(sequence), corrupted)
    wrong = entry(3, ENTRIES[0])
    parent = entry_sha256(ENTRIES[1])
    bucket.refuses(3, "no copy", kept=[wrong], parent_sha256=parent)
    assert bucket.repair(3, kept=[wrong, ENTRIES[2]], parent_sha256=parent).source == "kept copy"
    assert bucket.log.fetch(3).body == ENTRIES[2]


def test_the_first_entry_has_no_parent() -> None:
    bucket = Bucket(versioned=False)
    for sequence in (1, 2):
        bucket.store.damage(bucket.key(sequence), corrupted)
    bucket.refuses(1, "no copy", kept=[entry(1, ENTRIES[3])])
    assert bucket.repair(1, kept=ENTRIES).source == "kept copy"


def test_a_sound_entry_outweighs_what_is_remembered(bucket: Bucket) -> None:
    """A replica that was left behind by a rolled-back bucket must not undo what others wrote."""
    own = entry(4, ENTRIES[2], text="published, then lost by the bucket")
    known = {"kept": [own], "expected_sha256": entry_sha256(own)}
    bucket.refuses(4, "a sound entry is there", **known)
    bucket.refuses(3, "the entry after it does not continue", **known)
    bucket.refuses(4, "the entry before it is not the one", parent_sha256="1" * 64)
    bucket.overwrite(4, b"")
    bucket.refuses(4, "the entry before it is not the one", kept=[own], parent_sha256="1" * 64)
    bucket.overwrite(3, b"")
    bucket.overwrite(4, ENTRIES[3])
    bucket.refuses(3, "the entry after it does not continue", **known)


def test_a_damaged_neighbour_is_no_witness(bucket: Bucket) -> None:
    foreign = entry(3, ENTRIES[3], log_id="b" * 32)
    bucket.overwrite(3, foreign)
    bucket.overwrite(2, b"")
    assert bucket.repair(2).source == "version"
    assert bucket.repair(3).source == "version"
    assert bucket.is_whole()


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_damage_on_the_way_is_no_damage(bucket: Bucket, sequence: int) -> None:
    before = dict(bucket.store.objects)
    bucket.store.fail("get", bucket.key(sequence), change=corrupted)
    assert bucket.repair(2, kept=[entry(2, ENTRIES[0], text="x")]) == Repair(2, "intact")
    assert bucket.store.faults == []
    assert bucket.store.objects == before


def newer(body: bytes) -> bytes:
    """The same entry in a format that is not known yet; its digest is right."""
    content = body[:4] + (2).to_bytes(2, "big") + body[6:-32]
    return content + hashlib.sha256(content).digest()


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_an_entry_of_a_newer_version_is_not_damage(bucket: Bucket, sequence: int) -> None:
    bucket.overwrite(sequence, newer(ENTRIES[sequence - 1]))
    before = dict(bucket.store.objects)
    with pytest.raises(NewerSchema):
        bucket.repair(2, kept=ENTRIES)
    assert bucket.store.objects == before


def test_a_copy_in_a_newer_format_is_passed_over(bucket: Bucket) -> None:
    bucket.overwrite(2, b"")
    assert bucket.repair(2, kept=[newer(ENTRIES[1]), ENTRIES[1]]).source == "kept copy"
    assert bucket.is_whole()


def test_versions_are_not_asked_for_when_a_kept_copy_will_do(bucket: Bucket) -> None:
    bucket.overwrite(2, b"")
    bucket.store.requests.clear()
    bucket.repair(2, kept=ENTRIES)
    assert "versions" not in [verb for verb, _ in bucket.store.requests]


def test_a_store_without_versions_has_kept_copies_only() -> None:
    class Plain:
        """The verbs of a store in memory, without versions."""

        location = "memory"

        def __init__(self, store: MemoryStore) -> None:
            self.get, self.put, self.delete = store.get, store.put, store.delete
            self.list = store.list

    bucket = Bucket()
    bucket.overwrite(2, b"")
    plain = Plain(bucket.store)
    known: dict[str, Any] = {"log_id": LOG_ID, "parent_sha256": None, "expected_sha256": None}
    with pytest.raises(EntryRefused):
        repair_entry(plain, SharedLog(plain), sequence=2, kept=[], **known)
    repair_entry(plain, SharedLog(plain), sequence=2, kept=ENTRIES, **known)
    assert bucket.is_whole()


def test_a_service_that_knows_no_versions_is_one_without_them(bucket: Bucket) -> None:
    bucket.overwrite(2, b"")
    bucket.store.fail("versions", error=StoreRejected("list the versions of", "log/…"))
    bucket.refuses(2, "no copy of the original")


def test_versions_that_must_not_be_read_are_named(bucket: Bucket) -> None:
    bucket.overwrite(2, b"")
    missing = AccessDenied("list the versions of", "log/…", "s3:ListBucketVersions")
    bucket.store.fail("versions", error=missing)
    with pytest.raises(AccessDenied, match="s3:ListBucketVersions"):
        bucket.repair(2)
    assert bucket.log.fetch(2).body == b""


def test_a_read_only_key_repairs_nothing(bucket: Bucket) -> None:
    bucket.overwrite(2, b"")
    bucket.store.fail("put", error=denied("put"))
    with pytest.raises(AccessDenied):
        bucket.repair(2)
    assert bucket.log.fetch(2).body == b""


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_repair_whose_answer_is_lost_can_be_run_again(bucket: Bucket, after_effect: bool) -> None:
    bucket.overwrite(2, b"")
    bucket.store.fail("put", error=unreachable("put"), after_effect=after_effect)
    with pytest.raises(StoreUnreachable):
        bucket.repair(2)
    assert bucket.repair(2).source == ("intact" if after_effect else "version")
    assert bucket.is_whole()


def test_what_another_writes_into_the_gap_meanwhile_stays() -> None:
    bucket = Bucket()
    bucket.store.delete(bucket.key(4))
    another = entry(4, ENTRIES[2], text="claimed meanwhile")

    def claim_first(verb: str, key: str) -> None:
        if verb == "put":
            bucket.store.before = lambda verb, key: None
            bucket.store.put(key, another, PutMode.CREATE)

    bucket.store.before = claim_first
    with pytest.raises(EntryRefused, match="at the same time"):
        bucket.repair(4, kept=ENTRIES)
    assert bucket.log.fetch(4).body == another


def test_a_store_that_keeps_something_else_is_found_out(bucket: Bucket) -> None:
    bucket.overwrite(2, b"")

    def spoil(verb: str, key: str) -> None:
        if verb == "get" and bucket.store.objects[bucket.key(2)].body == ENTRIES[1]:
            bucket.store.damage(bucket.key(2), corrupted)

    bucket.store.before = spoil
    with pytest.raises(EntryRefused, match="gives something else"):
        bucket.repair(2)
