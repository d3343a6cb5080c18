"""A state that is well and saved, for tests to change what they are about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from jobs.preparation import Preparation
from jobs.saved import SavedState
from replica import State, Status, Writer

__all__ = ["BUCKET", "NOW", "OK", "READY", "SAVED"]

BUCKET: Final = "my-private-bucket"
NOW: Final = datetime(2026, 11, 20, 20, tzinfo=UTC)
READY: Final = Preparation(fraction=1.0, reference_ready=True, state_ready=True)
OK: Final = Status(
    state=State.OK,
    sequence=41,
    pending_transactions=0,
    pending_bytes=0,
    lag_seconds=0.0,
    last_success_at=NOW,
    last_error=None,
    location=f"s3://{BUCKET}/predictions/",
    mode="multi_writer",
    note="",
    clock_offset_seconds=0.4,
    snapshot_sequence=38,
    snapshot_size_bytes=123_456,
    writers=(Writer("00ff00ff00ff00ff", 41, NOW),),
    conflicts=0,
)
SAVED: Final = SavedState(
    preparation=READY,
    status=OK,
    configuration_error=None,
    job_error=None,
    uses_folder=False,
    is_deployed=True,
)
