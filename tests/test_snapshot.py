"""The bytes of a snapshot: what goes in comes out, and any other byte is noticed."""

import subprocess
from pathlib import Path
from shutil import which

import apsw
import pytest
import zstandard

from replica import NewerSchema, NotADatabase, NotASnapshot, SnapshotCorrupt
from replica.snapshot import pack, snapshot_key, snapshot_sequence, unpack, unpack_metadata

KEY = snapshot_key(7)


def database() -> bytes:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE numbers (n INTEGER); INSERT INTO numbers VALUES (1), (2)")
    content = connection.serialize("main")
    connection.close()
    return content


def packed(content: bytes | None = None) -> bytes:
    return pack(
        database() if content is None else content,
        lineage="ab" * 16,
        sequence=7,
        parent_sha256="cd" * 32,
        schema_version=3,
        writer_id="w",
    )


def test_pack_and_unpack_give_everything_back() -> None:
    content = database()
    metadata, unpacked = unpack(packed(content), KEY)
    assert unpacked == content
    assert (metadata.sequence, metadata.lineage, metadata.format) == (7, "ab" * 16, 1)
    assert (metadata.parent_sha256, metadata.schema_version) == ("cd" * 32, 3)
    assert metadata.size_bytes == len(content)
    assert unpack_metadata(packed(content), KEY) == metadata


def test_same_database_gives_same_bytes() -> None:
    assert packed() == packed()


def test_no_flipped_bit_gives_another_database() -> None:
    body = packed()
    whole, noticed = unpack(body, KEY), 0
    for position in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[position // 8] ^= 1 << position % 8
        try:
            # zstd ignores a few bits, which then change nothing.
            assert unpack(bytes(flipped), KEY) == whole
        except (NotASnapshot, SnapshotCorrupt):
            noticed += 1
    assert noticed > len(body) * 8 - 16


def test_every_truncation_and_any_addition_is_noticed() -> None:
    body = packed()
    for length in range(len(body)):
        with pytest.raises((NotASnapshot, SnapshotCorrupt)):
            unpack(body[:length], KEY)
    with pytest.raises(SnapshotCorrupt):
        unpack(body + b"\0", KEY)


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"SQLite format 3\0" + b"\0" * 100])
def test_something_else_is_not_a_snapshot(body: bytes) -> None:
    with pytest.raises(NotASnapshot, match=KEY):
        unpack(body, KEY)


def test_content_that_is_no_database_is_refused() -> None:
    with pytest.raises(NotADatabase):
        unpack(packed(b"just text"), KEY)


def test_newer_format_asks_for_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    content = database()
    monkeypatch.setattr("replica.snapshot.SnapshotMetadata.__init__.__defaults__", (2,))
    newer = packed(content)
    with pytest.raises(NewerSchema, match="Update the application"):
        unpack(newer, KEY)


def test_database_under_another_ones_description_is_noticed() -> None:
    content = database()
    body, other = packed(content), packed(content[:-1] + b"x")
    frame = b"\x28\xb5\x2f\xfd"
    with pytest.raises(SnapshotCorrupt, match="hash"):
        unpack(body[: body.index(frame)] + other[other.index(frame) :], KEY)


def test_a_decompression_bomb_is_refused_before_it_is_opened() -> None:
    body = packed()
    head = body[: body.index(b"\x28\xb5\x2f\xfd")]
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    with pytest.raises(SnapshotCorrupt, match="sizes"):
        unpack(head + bomb, KEY)


def test_plain_zstd_passes_over_the_description(tmp_path: Path) -> None:
    content = database()
    skipped = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    assert skipped.decompress(packed(content)) == content
    if which("zstd"):
        (tmp_path / "s.db.zst").write_bytes(packed(content))
        subprocess.run(["zstd", "-d", "-q", tmp_path / "s.db.zst"], check=True)
        assert (tmp_path / "s.db").read_bytes() == content


def test_keys_sort_as_their_numbers_and_other_keys_have_none() -> None:
    keys = [snapshot_key(number) for number in (1, 9, 10, 99, 100)]
    assert keys == sorted(keys)
    assert [snapshot_sequence(key) for key in keys] == [1, 9, 10, 99, 100]
    for other in ("snapshots/readme.txt", "snapshots/1.db.zst", "nba_stats.db.zst", keys[0] + "x"):
        assert snapshot_sequence(other) is None
