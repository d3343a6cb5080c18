"""What a page says of an error: nothing of the machine to a visitor, everything to the owner."""

from __future__ import annotations

import pytest

from jobs.authority import OWNER, VISITOR
from jobs.errors import NotReady
from nba.errors import NbaError
from replica import AccessDenied, DiskFull, LocalCorrupt
from tracking.errors import UnknownPlace
from ui.errors import error_words

OF_THE_MACHINE = [
    DiskFull("open", "/data/somebody/state/nba_stats-scores.db"),
    LocalCorrupt("read", "/data/somebody/state/nba_stats.db", detail="page 7"),
    AccessDenied("put", "log/7", "s3:PutObject", detail="secret-bucket at store.example"),
    NotReady("read", "state", "Could not open /data/somebody/state: full.", "Try again."),
    NbaError("read past seasons", "/data/somebody/reference.db", "it is gone.", "Start again."),
]


@pytest.mark.parametrize("error", OF_THE_MACHINE, ids=lambda error: type(error).__name__)
def test_a_visitor_reads_no_path_and_no_bucket(error: Exception) -> None:
    told = error_words(VISITOR, error)
    for secret in ("somebody", "secret-bucket", "store.example", "page 7", ".db"):
        assert secret not in told
    assert len(told.split()) > 3
    assert error_words(OWNER, error) == str(error)


def test_what_a_visitor_typed_himself_is_named() -> None:
    error = UnknownPlace("finding a page", "run~7", "no prediction is there", "Begin anew.")
    assert error_words(VISITOR, error) == str(error)
