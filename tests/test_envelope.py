"""The bytes of a log entry: what goes in comes out, and any other byte is refused."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from replica import EntryRefused, NewerSchema
from replica.envelope import NO_PARENT, Change, Entry, Kind, entry_sha256, pack_entry, unpack_entry

KEY = "log/00000000000000000007"
FIRST = "11111111-2222-4333-8444-555555555555"
SECOND = "99999999-8888-4777-8666-555555555555"

CHANGES = Entry(
    kind=Kind.CHANGES,
    log_id="ab" * 16,
    sequence=7,
    parent_sha256="cd" * 32,
    parent_stored_at_s=1_795_197_600,
    writer_id="0123456789abcdef",
    schema_version=3,
    changes=(Change(FIRST, b"T\x02\x01\x00notes"), Change(SECOND, bytes(range(256)))),
)
GENESIS = Entry(
    kind=Kind.GENESIS,
    log_id="ab" * 16,
    sequence=1,
    parent_sha256=NO_PARENT,
    parent_stored_at_s=0,
    writer_id="0123456789abcdef",
    schema_version=1,
    description={"base": "bases/x.db.zst", "mode": "multi_writer", "names": ["Jokić"]},
)

# Where the header's fields begin; see the layout in envelope.py.
HEADER = struct.Struct(">4sHB16sQ32sQ8sIIII")


def sealed(content: bytes) -> bytes:
    """With a hash that agrees."""
    return content + hashlib.sha256(content).digest()


def with_payload(entry: Entry, payload: bytes, *, declared: int | None = None) -> bytes:
    """The entry with another payload, everything else in order."""
    body = pack_entry(entry)
    fields = list(HEADER.unpack_from(body))
    compressed = zstandard.ZstdCompressor().compress(payload)
    fields[-2:] = [len(compressed), len(payload) if declared is None else declared]
    ids = body[HEADER.size : HEADER.size + 16 * len(entry.changes)]
    return sealed(HEADER.pack(*fields) + ids + compressed)


NEEDED: dict[Kind, dict[str, Any]] = {
    Kind.GENESIS: {"base": "bases/x", "mode": "multi_writer"},
    Kind.MIGRATION: {"version": 2, "sql": "SELECT 1", "sha256": "0"},
    Kind.BASE: {"base": "bases/x", "tables": ["notes"], "transactions": []},
}


def with_field(at: int, value: Any, entry: Entry = CHANGES) -> bytes:
    """The entry with another field in its header, everything else in order."""
    body = pack_entry(entry)
    fields = list(HEADER.unpack_from(body))
    fields[at] = value
    return sealed(HEADER.pack(*fields) + body[HEADER.size : -32])


@pytest.mark.parametrize("entry", [CHANGES, GENESIS], ids=["changes", "genesis"])
def test_pack_and_unpack_give_everything_back(entry: Entry) -> None:
    assert unpack_entry(pack_entry(entry), KEY) == entry


@given(
    kind=st.sampled_from([Kind.MIGRATION, Kind.BASE, Kind.GENESIS]),
    sequence=st.integers(1, 2**64 - 1),
    parent_time=st.integers(0, 2**37),
    schema_version=st.integers(0, 2**32 - 1),
    description=st.dictionaries(st.text(), st.integers() | st.text() | st.none(), min_size=1),
)
def test_any_description_survives(
    kind: Kind,
    sequence: int,
    parent_time: int,
    schema_version: int,
    description: dict[str, Any],
) -> None:
    entry = replace(
        GENESIS,
        kind=kind,
        sequence=sequence,
        parent_stored_at_s=parent_time,
        schema_version=schema_version,
        description=description | NEEDED[kind],
    )
    assert unpack_entry(pack_entry(entry), KEY) == entry


@pytest.mark.parametrize("kind", [Kind.GENESIS, Kind.MIGRATION, Kind.BASE])
def test_description_without_what_its_kind_needs_is_refused(kind: Kind) -> None:
    for name, value in NEEDED[kind].items():
        for wrong in ({}, {name: None}):
            description = {**NEEDED[kind], "more": 1, name: value} | wrong
            if not wrong:
                del description[name]
            entry = replace(GENESIS, kind=kind, description=description)
            with pytest.raises(EntryRefused, match=name):
                unpack_entry(pack_entry(entry), KEY)


def test_mode_and_time_that_nobody_could_mean_are_refused() -> None:
    odd = replace(GENESIS, description=NEEDED[Kind.GENESIS] | {"mode": "odd"})
    with pytest.raises(EntryRefused, match="mode"):
        unpack_entry(pack_entry(odd), KEY)
    with pytest.raises(EntryRefused, match="time"):
        unpack_entry(pack_entry(replace(GENESIS, parent_stored_at_s=2**62)), KEY)


@given(st.lists(st.tuples(st.uuids(), st.binary(min_size=1)), min_size=1, max_size=5))
def test_any_changesets_survive(changes: list[tuple[Any, bytes]]) -> None:
    entry = replace(
        CHANGES, changes=tuple(Change(str(name), changeset) for name, changeset in changes)
    )
    assert unpack_entry(pack_entry(entry), KEY) == entry
    assert entry.transaction_ids == tuple(str(name) for name, _ in changes)


def test_large_entries_survive() -> None:
    entry = replace(CHANGES, changes=(Change(FIRST, bytes(range(256)) * 5000),))
    assert unpack_entry(pack_entry(entry), KEY) == entry


def test_equal_entries_have_equal_bytes() -> None:
    """A claim that is made anew from the same outbox must be the same claim."""
    again = replace(CHANGES, changes=tuple(replace(change) for change in CHANGES.changes))
    assert pack_entry(again) == pack_entry(CHANGES)
    shuffled = dict(reversed(list(GENESIS.description.items())))
    assert pack_entry(replace(GENESIS, description=shuffled)) == pack_entry(GENESIS)


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 8},
        {"log_id": "ac" * 16},
        {"parent_sha256": "ce" * 32},
        {"parent_stored_at_s": 5},
        {"writer_id": "0123456789abcdee"},
        {"schema_version": 4},
        {"changes": CHANGES.changes[:1]},
        {"changes": CHANGES.changes[::-1]},
    ],
)
def test_whatever_differs_gives_another_hash(change: dict[str, Any]) -> None:
    other = replace(CHANGES, **change)
    assert entry_sha256(pack_entry(other)) != entry_sha256(pack_entry(CHANGES))


@pytest.mark.parametrize("entry", [CHANGES, GENESIS], ids=["changes", "genesis"])
def test_every_flipped_bit_is_refused(entry: Entry) -> None:
    body = pack_entry(entry)
    for position in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(EntryRefused):
            unpack_entry(bytes(flipped), KEY)


def test_every_truncation_and_any_addition_is_refused() -> None:
    body = pack_entry(CHANGES)
    for length in range(len(body)):
        with pytest.raises(EntryRefused):
            unpack_entry(body[:length], KEY)
    for extra in (b"\0", body):
        with pytest.raises(EntryRefused):
            unpack_entry(body + extra, KEY)


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"RLOG", bytes(500)])
def test_something_else_is_no_entry(body: bytes) -> None:
    with pytest.raises(EntryRefused, match=KEY):
        unpack_entry(body, KEY)


@pytest.mark.parametrize("body", [with_field(1, 2), with_field(2, 9)], ids=["format", "kind"])
def test_what_a_newer_version_wrote_asks_for_an_update(body: bytes) -> None:
    with pytest.raises(NewerSchema, match="Update the application"):
        unpack_entry(body, KEY)


def test_a_newer_version_is_believed_only_if_the_hash_agrees() -> None:
    body = bytearray(pack_entry(CHANGES))
    body[5] = 2
    with pytest.raises(EntryRefused, match="hash"):
        unpack_entry(bytes(body), KEY)


def test_a_decompression_bomb_is_refused_before_it_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise AssertionError("decompressed")

    bombs = [
        with_payload(CHANGES, bytes(129 << 20)),
        with_payload(CHANGES, bytes(129 << 20), declared=500),
    ]
    monkeypatch.setattr(zstandard, "ZstdDecompressor", explode)
    for bomb in bombs:
        assert len(bomb) < 10_000
        with pytest.raises(EntryRefused, match="sizes"):
            unpack_entry(bomb, KEY)


def test_an_empty_entry_is_refused() -> None:
    nothing = replace(CHANGES, changes=())
    empty_changeset = replace(CHANGES, changes=(Change(FIRST, b"x"), Change(SECOND, b"")))
    no_description = replace(GENESIS, description={})
    for entry in (nothing, empty_changeset, no_description):
        with pytest.raises(EntryRefused, match="empty"):
            unpack_entry(pack_entry(entry), KEY)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0\0",
        b"\0\0\0\x05short",
        b"\0\0\0\x05whole",
        b"\0\0\0\x01a\0\0\0\x01b\0\0\0\x01c",
        b"\0\0\0\x01a\0\0\0\x09b",
        b"\xff\xff\xff\xffabc\0\0\0\x01b",
    ],
)
def test_changesets_that_are_not_whole_are_refused(payload: bytes) -> None:
    with pytest.raises(EntryRefused):
        unpack_entry(with_payload(CHANGES, payload), KEY)


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"{", b"null", b"\xff\xfe"])
def test_a_description_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(EntryRefused):
        unpack_entry(with_payload(GENESIS, payload), KEY)


@pytest.mark.parametrize("count", [0, 1, 3, 2**32 - 1])
def test_a_wrong_number_of_transactions_is_refused(count: int) -> None:
    with pytest.raises(EntryRefused):
        unpack_entry(with_field(9, count), KEY)


def test_a_payload_that_is_not_compressed_is_refused() -> None:
    body = pack_entry(CHANGES)
    fields = list(HEADER.unpack_from(body))
    ids = body[HEADER.size : HEADER.size + 32]
    fields[-2:] = [20, 20]
    with pytest.raises(EntryRefused):
        unpack_entry(sealed(HEADER.pack(*fields) + ids + bytes(20)), KEY)


def test_a_small_entry_stays_small() -> None:
    entry = replace(CHANGES, changes=(Change(FIRST, b"T\x02\x01\x00notes\x00\x12\x00"),))
    assert len(pack_entry(entry)) < 200
