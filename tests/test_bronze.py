"""Responses as they are kept: keys that tell what there is, and objects that cannot lie."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
import zstandard

from nba.bronze import (
    BronzeDamaged,
    Document,
    DocumentName,
    decode,
    encode,
    key_of,
    name_of,
    safe_text,
)
from nba.sources.wanted import Endpoint, Wanted
from replica import PutMode
from replica.stores.folder import FolderStore

EVENING = datetime(2025, 1, 16, 3, 30, 7, 654321, tzinfo=UTC)
LOG = Wanted.game_log("2024-25", "Regular Season", date(2025, 1, 10))


def document(
    wanted: Wanted = LOG, body: bytes = b'{"a": 1}', retrieved_at: datetime = EVENING
) -> Document:
    return Document("nba-stats", wanted, retrieved_at, body)


def test_a_key_tells_source_eastern_date_question_time_and_hash() -> None:
    # Half past ten in the evening of the 15th in New York.
    assert key_of(document()) == (
        "bronze/source=nba-stats/date=2025-01-15/"
        "leaguegamelog-season=2024-25-season_type=Regular_Season-since=2025-01-10"
        "-20250116T033007Z-f9d86028c6e0.zst"
    )


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted.scoreboard(),
        Wanted.box_score("0022400123"),
        Wanted.schedule("2026-27"),
        LOG,
        Wanted.game_log("2024-25", "Playoffs", date(2025, 5, 1), date(2025, 5, 2)),
        Wanted.players("2026-27"),
    ],
)
def test_a_name_is_read_back_from_every_key(wanted: Wanted) -> None:
    kept = document(wanted)
    name = name_of(key_of(kept))
    assert name is not None
    assert (name.source, name.endpoint, name.date) == (
        "nba-stats",
        wanted.endpoint,
        date(2025, 1, 15),
    )
    assert name.retrieved_at == EVENING.replace(microsecond=0)
    assert kept.sha256.startswith(name.sha12)
    assert len(name.sha12) == 12


def test_two_questions_have_two_parameter_texts() -> None:
    asked = [
        Wanted.box_score("0022400123"),
        Wanted.box_score("0022400124"),
        Wanted.game_log("2024-25", "Regular Season"),
        LOG,
        Wanted.game_log("2024-25", "Regular Season", None, date(2025, 1, 10)),
    ]
    names = [name_of(key_of(document(one))) for one in asked]
    assert len({name.parameters for name in names if name}) == len(asked)


def test_another_zone_is_the_same_moment() -> None:
    there = EVENING.astimezone(timezone(timedelta(hours=9)))
    assert key_of(document(retrieved_at=there)) == key_of(document())
    assert decode(encode(document(retrieved_at=there))).retrieved_at == EVENING


@pytest.mark.parametrize(
    "key",
    [
        "log/00000000000000000001.zst",
        "bronze/readme.txt",
        "bronze/source=nba-live/date=2025-01-15/scoreboard-20250116T033007Z-0123456789ab.json",
        "bronze/source=nba-live/date=2025-01-15/scoreboard-20250116T033007Z-0123456789AB.zst",
        "bronze/source=nba-live/date=2025-13-45/scoreboard-20250116T033007Z-0123456789ab.zst",
        "bronze/source=nba-live/date=2025-01-15/scoreboard-20250116T996007Z-0123456789ab.zst",
        "bronze/source=nba-live/date=2025-01-15/hologram-20250116T033007Z-0123456789ab.zst",
        "bronze/source=nba-live/date=2025-01-15/x/scoreboard-20250116T033007Z-0123456789ab.zst",
    ],
)
def test_keys_of_other_things_have_no_name(key: str) -> None:
    assert name_of(key) is None


def test_values_from_outside_cannot_leave_their_place_in_a_key() -> None:
    kept = document(Wanted.box_score("../../log/é 1"))
    assert "game_id=.._.._log___1-" in key_of(kept)
    assert key_of(kept).count("/") == 3
    assert safe_text("Pre Season/1") == "Pre_Season_1"


def test_a_store_takes_such_keys(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    kept = document()
    store.put(key_of(kept), encode(kept), PutMode.CREATE)
    [info] = store.list("bronze/")
    assert name_of(info.key) == DocumentName(
        source="nba-stats",
        date=date(2025, 1, 15),
        endpoint=Endpoint.GAME_LOG,
        parameters="season=2024-25-season_type=Regular_Season-since=2025-01-10",
        retrieved_at=EVENING.replace(microsecond=0),
        sha12=kept.sha256[:12],
    )
    assert decode(store.get(info.key).body) == kept


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\n\n",
        b'{"name": "Joki\xc4\x87"}\r\n{"second": "line"}\n',
        b"\xff\xfe no text at all \x00",
        b'{"unknown": ' + b'"x"' * 200_000 + b"}",
    ],
)
def test_the_exact_bytes_come_back(body: bytes) -> None:
    kept = document(body=body)
    assert decode(encode(kept)) == kept
    assert decode(encode(kept)).body == body


def test_the_same_document_is_the_same_object() -> None:
    assert encode(document()) == encode(document())


def test_an_object_shows_its_description_and_its_body_to_any_zstd() -> None:
    content = zstandard.ZstdDecompressor().decompress(encode(document()))
    head, _, body = content.partition(b"\n")
    assert body == b'{"a": 1}'
    assert json.loads(head) == {
        "source": "nba-stats",
        "endpoint": "leaguegamelog",
        "parameters": [list(pair) for pair in LOG.parameters],
        "retrieved_at": "2025-01-16T03:30:07.654321+00:00",
        "sha256": document().sha256,
    }


def compressed(head: object, body: bytes = b"{}") -> bytes:
    content = json.dumps(head).encode() + b"\n" + body
    return zstandard.ZstdCompressor().compress(content)


GOOD: dict[str, object] = {
    "source": "folder",
    "endpoint": "boxscore",
    "parameters": [["game_id", "1"]],
    "retrieved_at": "2025-01-16T03:30:07+00:00",
    "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
}


def test_the_example_of_the_damaged_ones_is_good() -> None:
    assert decode(compressed(GOOD)).wanted == Wanted.box_score("1")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not compressed",
        encode(document())[:-9],
        encode(document()) + b"more",
        bytes([*encode(document())[:-2], 0, 0]),
        zstandard.ZstdCompressor().compress(b""),
        zstandard.ZstdCompressor().compress(json.dumps(GOOD).encode()),
        compressed(GOOD, b"{ }"),
        compressed([]),
        compressed("text"),
        *(compressed({k: v for k, v in GOOD.items() if k != name}) for name in GOOD),
        *(compressed(GOOD | {name: 7}) for name in GOOD),
        compressed(GOOD | {"endpoint": "hologram"}),
        compressed(GOOD | {"parameters": [["one"]]}),
        compressed(GOOD | {"parameters": [[1, 2]]}),
        compressed(GOOD | {"retrieved_at": "yesterday"}),
        compressed(GOOD | {"retrieved_at": "2025-01-16T03:30:07"}),
    ],
)
def test_what_was_not_kept_like_this_is_told(data: bytes) -> None:
    with pytest.raises(BronzeDamaged) as caught:
        decode(data, "bronze/that one")
    assert caught.value.key == "bronze/that one"
    assert caught.value.remedy


def test_an_object_that_claims_to_be_huge_is_not_unpacked() -> None:
    writer = zstandard.ZstdCompressor().compressobj(size=2**40)
    with pytest.raises(BronzeDamaged, match="larger than any response"):
        decode(writer.compress(b"x" * 300_000) + writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
