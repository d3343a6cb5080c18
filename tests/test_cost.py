"""Prices and bills: arithmetic on what was used of a bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage.cost import GIGABYTE, MONTH, S3, Operation, Usage, Version, bill_of, stored_byte_months

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
END = BEGIN + MONTH
PUT, LIST, GET, DELETE = Operation.PUT, Operation.LIST, Operation.GET, Operation.DELETE

COUNTS = st.fixed_dictionaries({one: st.integers(0, 10**9) for one in Operation})
BYTES = st.integers(0, 10**13)


def test_s3s_list_prices() -> None:
    used = Usage({PUT: 10_000, LIST: 2_000, GET: 1_000_000, DELETE: 50}, 10.0 * GIGABYTE)
    bill = bill_of(used)
    amounts = {line.what: line.usd for line in bill.lines}
    assert amounts == pytest.approx(
        {"PUT": 0.05, "LIST": 0.01, "GET": 0.4, "DELETE": 0, "storage": 0.23, "traffic out": 0}
    )
    assert bill.total_usd == pytest.approx(0.69)


def test_a_list_is_as_dear_as_a_put_and_twelve_times_a_get() -> None:
    assert S3.per_thousand[LIST] == S3.per_thousand[PUT]
    assert S3.per_thousand[LIST] / S3.per_thousand[GET] == pytest.approx(12.5)


def test_traffic_costs_beyond_what_is_free_each_month() -> None:
    used = Usage(sent_bytes=130 * GIGABYTE)
    [line] = [line for line in bill_of(used).lines if line.what == "traffic out"]
    assert line.usd == pytest.approx(30 * 0.09)
    assert bill_of(Usage(sent_bytes=100 * GIGABYTE)).total_usd == 0


def test_nothing_used_costs_nothing() -> None:
    bill = bill_of(Usage())
    assert bill.total_usd == 0
    assert [line.what for line in bill.lines] == [*Operation, "storage", "traffic out"]


@given(COUNTS, COUNTS, BYTES, BYTES)
def test_more_never_costs_less(
    counts: dict[Operation, int], more: dict[Operation, int], stored: int, sent: int
) -> None:
    less = bill_of(Usage(counts, stored / 2, sent // 2)).total_usd
    together = {one: counts[one] + more[one] for one in Operation}
    assert bill_of(Usage(together, stored, sent)).total_usd >= less * (1 - 1e-9)


def test_content_is_paid_for_while_it_is_stored() -> None:
    day = timedelta(days=1)
    versions = [
        Version(3_000, BEGIN - 10 * day),
        Version(3_000, BEGIN + 15 * day),
        Version(3_000, BEGIN - 10 * day, BEGIN + 10 * day),
        Version(3_000, BEGIN - 10 * day, BEGIN),
        Version(3_000, END),
    ]
    parts = [stored_byte_months([one], BEGIN, END) for one in versions]
    assert parts == pytest.approx([3_000, 1_500, 1_000, 0, 0])
    assert stored_byte_months(versions, BEGIN, END) == pytest.approx(sum(parts))
