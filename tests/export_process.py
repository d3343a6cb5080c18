"""The app without a browser exports its whole history: `python -m tests.export_process JSON`.

The argument says where, see `Orders`. The last line of its output is JSON, see `Exported`.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from exports.draft import Format
from jobs.authority import OWNER
from jobs.history_export import history_draft
from prediction_tracking import HistoryFilters
from tests.app_process import CHECKOUT
from tests.applications import log_of, running, settings_for
from tests.servers import s3_options

__all__ = ["Exported", "Orders", "export_in_a_process"]

PROCESS_SECONDS = 600.0


@dataclass(frozen=True)
class Orders:
    """Where a process finds what, and the formats to make, which are values of Format.

    `state_folder` is empty: the state is restored from the bucket first, as after a redeploy.
    """

    state_folder: str
    reference_path: str
    endpoint_url: str
    bucket: str
    formats: tuple[str, ...]


@dataclass(frozen=True)
class Exported:
    """What became of one format.

    Attributes:
        format: the value of a Format.
        export_id: its id in the catalogue.
        rows: as the catalogue has it.
        size_bytes: of all its files.
        shares: the progress that was shown, from 0 to 1.
        peak_mb: the process's largest resident memory so far, in MB of 10^6 bytes.
    """

    format: str
    export_id: str
    rows: int
    size_bytes: int
    shares: tuple[float, ...]
    peak_mb: int


def export_in_a_process(orders: Orders) -> list[Exported]:
    """The whole history in each format, one after the other, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.export_process", json.dumps(dataclasses.asdict(orders))],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        Exported(**{**said, "shares": tuple(said["shares"])})
        for said in json.loads(done.stdout.splitlines()[-1])
    ]


def peak_mb() -> int:
    """VmHWM of this process: `ru_maxrss` would have been inherited from the test's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return round(int(line.split()[1]) * 1024 / 1e6)


def main(argument: str) -> None:
    # A page is being shown beside the export: what it stands on takes its memory too.
    import ui.history_view
    import ui.player_view
    import ui.slate_view
    import ui.track_record  # noqa: F401

    orders = Orders(**json.loads(argument))
    store = s3_options(orders.endpoint_url, orders.bucket, prefix="")
    settings = settings_for(Path(orders.state_folder), Path(orders.reference_path), store)
    made: list[Exported] = []
    with running(settings, ticks=False) as application:
        for wanted in map(Format, orders.formats):
            shares: list[float] = []
            draft = history_draft(
                log_of(application), HistoryFilters(), wanted, title="All", name="history"
            )

            def progress(share: float, words: str, told: list[float] = shares) -> None:
                told.append(share)

            export = application.sharing.make(OWNER, draft, keep_days=7, progress=progress)
            made.append(
                Exported(
                    wanted.value,
                    export.export_id,
                    export.row_count,
                    export.size_bytes,
                    tuple(shares),
                    peak_mb(),
                )
            )
    print(json.dumps([dataclasses.asdict(one) for one in made]))


if __name__ == "__main__":
    main(sys.argv[1])
