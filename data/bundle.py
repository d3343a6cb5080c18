"""Copy the bundled seasons from a folder of source files: `python data/bundle.py SOURCE_FOLDER`.

The same columns and rows; rewritten in small row groups, so that a reader needs little memory.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

BUNDLED = (
    "games",
    "player_absences",
    "player_games",
    "players",
    "schedule_2026_27",
    "teams",
)
ROW_GROUP_ROWS = 32_768
LARGEST_BYTES = 4_000_000


def bundle(source: Path, target: Path) -> None:
    """Write each bundled file below `target`; ValueError if one grows beyond `LARGEST_BYTES`."""
    for name in BUNDLED:
        table = pq.read_table(source / f"{name}.parquet")
        plain = pa.schema(
            field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field
            for field in table.schema.remove_metadata()
        )
        path = target / f"{name}.parquet"
        pq.write_table(
            table.cast(plain),
            path,
            compression="zstd",
            compression_level=19,
            row_group_size=ROW_GROUP_ROWS,
        )
        size_bytes = path.stat().st_size
        if size_bytes > LARGEST_BYTES:
            raise ValueError(f"{path.name} has {size_bytes} bytes, more than {LARGEST_BYTES}")
        print(f"{path.name}: {table.num_rows} rows, {size_bytes} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="folder with the source Parquet files")
    bundle(parser.parse_args().source, Path(__file__).parent)
