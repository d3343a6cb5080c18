"""The bytes of a snapshot: what goes in comes out, and any other byte is noticed."""

import subprocess
from contextlib import closing
from pathlib import Path
from shutil import which

import apsw
import pytest
import zstandard

from replica import NewerSchema, NotADatabase, NotASnapshot, SnapshotCorrupt
from replica.snapshot import SnapshotMetadata, pack, read_frame, read_metadata, unpack, write_frame

KEY = "snapshots/7.db.zst"


def database() -> bytes:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE numbers (n INTEGER); INSERT INTO numbers VALUES (1), (2)")
    content = connection.serialize("main")
    connection.close()
    return content


def packed(folder: Path, content: bytes | None = None) -> bytes:
    path = folder / "packed.db"
    path.write_bytes(database() if content is None else content)
    return pack(path, log_id="ab" * 16, sequence=7, entry_sha256="cd" * 32, schema_version=3)


def unpacked(body: bytes, folder: Path) -> tuple[SnapshotMetadata, bytes]:
    path = folder / "unpacked.db"
    metadata = unpack(body, KEY, path)
    return metadata, path.read_bytes()


def test_pack_and_unpack_give_everything_back(tmp_path: Path) -> None:
    content = database()
    metadata, content_again = unpacked(packed(tmp_path, content), tmp_path)
    assert content_again == content
    assert (metadata.sequence, metadata.log_id, metadata.format) == (7, "ab" * 16, 2)
    assert (metadata.entry_sha256, metadata.schema_version) == ("cd" * 32, 3)
    assert metadata.size_bytes == len(content)
    assert read_metadata(packed(tmp_path, content), KEY) == metadata


def test_what_is_larger_than_any_buffer_comes_out_too(tmp_path: Path) -> None:
    with closing(apsw.Connection(str(tmp_path / "large.db"))) as connection:
        connection.execute("CREATE TABLE blobs (b); INSERT INTO blobs VALUES (randomblob(3000000))")
    content = (tmp_path / "large.db").read_bytes()
    body = packed(tmp_path, content)
    assert unpacked(body, tmp_path)[1] == content
    for extra in (b"\0", body, bytes(2_000_000)):
        with pytest.raises(SnapshotCorrupt):
            unpack(body + extra, KEY, tmp_path / "unpacked.db")


def test_same_database_gives_same_bytes(tmp_path: Path) -> None:
    assert packed(tmp_path) == packed(tmp_path)


def test_no_flipped_bit_gives_another_database(tmp_path: Path) -> None:
    body = packed(tmp_path)
    whole, noticed = unpacked(body, tmp_path), 0
    for position in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[position // 8] ^= 1 << position % 8
        try:
            # zstd ignores a few bits, which then change nothing.
            assert unpacked(bytes(flipped), tmp_path) == whole
        except (NotASnapshot, SnapshotCorrupt):
            noticed += 1
    assert noticed > len(body) * 8 - 16


def test_every_truncation_and_any_addition_is_noticed(tmp_path: Path) -> None:
    body = packed(tmp_path)
    for length in range(len(body)):
        with pytest.raises((NotASnapshot, SnapshotCorrupt)):
            unpack(body[:length], KEY, tmp_path / "unpacked.db")
    with pytest.raises(SnapshotCorrupt):
        unpack(body + b"\0", KEY, tmp_path / "unpacked.db")


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"SQLite format 3\0" + b"\0" * 100])
def test_something_else_is_not_a_snapshot(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(NotASnapshot, match=KEY):
        unpack(body, KEY, tmp_path / "unpacked.db")


def test_content_that_is_no_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADatabase):
        unpack(packed(tmp_path, b"just text"), KEY, tmp_path / "unpacked.db")


def test_newer_format_asks_for_an_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = database()
    monkeypatch.setattr("replica.snapshot.SnapshotMetadata.__init__.__defaults__", (3,))
    newer = packed(tmp_path, content)
    with pytest.raises(NewerSchema, match="Update the application"):
        unpack(newer, KEY, tmp_path / "unpacked.db")


@pytest.mark.parametrize("missing", ["format", "sha256", "log_id", "size_bytes"])
def test_description_that_lacks_something_is_no_snapshots(tmp_path: Path, missing: str) -> None:
    description, compressed = read_frame(packed(tmp_path), KEY)
    del description[missing]
    with pytest.raises(NotASnapshot, match=missing):
        read_metadata(write_frame(description) + bytes(compressed), KEY)


def test_database_under_another_ones_description_is_noticed(tmp_path: Path) -> None:
    content = database()
    body, other = packed(tmp_path, content), packed(tmp_path, content[:-1] + b"x")
    frame = b"\x28\xb5\x2f\xfd"
    mixed = body[: body.index(frame)] + other[other.index(frame) :]
    with pytest.raises(SnapshotCorrupt, match="hash"):
        unpack(mixed, KEY, tmp_path / "unpacked.db")


def test_a_decompression_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    body = packed(tmp_path)
    head = body[: body.index(b"\x28\xb5\x2f\xfd")]
    bomb = zstandard.ZstdCompressor().compress(bytes(50_000_000))
    with pytest.raises(SnapshotCorrupt, match="sizes"):
        unpack(head + bomb, KEY, tmp_path / "unpacked.db")
    assert not (tmp_path / "unpacked.db").exists()


def test_plain_zstd_passes_over_the_description(tmp_path: Path) -> None:
    content = database()
    skipped = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    assert skipped.decompress(packed(tmp_path, content)) == content
    if which("zstd"):
        (tmp_path / "s.db.zst").write_bytes(packed(tmp_path, content))
        subprocess.run(["zstd", "-d", "-q", tmp_path / "s.db.zst"], check=True)
        assert (tmp_path / "s.db").read_bytes() == content
