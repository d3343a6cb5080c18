"""What was used, as values: tallies and times, days as text, the bill of a month that goes on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from usage.cost import GIGABYTE, Operation, bill_of
from usage.counting import PARTS, Counts, Latency, Tally, billed_as, part_of
from usage.days import UnreadableFigures, UsageDay, WriterDay, merged_days
from usage.month import month_of
from usage.storage import Storage, Stored, StoredObject, byte_months, storage_of

NOON = datetime(2026, 11, 11, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def counted(part: str, operation: Operation, times: int, *, received_bytes: int = 0) -> Counts:
    counts = Counts()
    for _ in range(times):
        counts.add(
            part,
            operation,
            sent_bytes=10,
            received_bytes=received_bytes,
            seconds=0.02,
            status=200,
        )
    return counts


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("predictions/log/00000000000000000001", "log"),
        ("predictions/log/", "log"),
        ("predictions/nba_stats.db.zst", "snapshots"),
        ("predictions/head.json", "snapshots"),
        ("predictions/csv/game_date=2026-11-20/x.csv", "csv"),
        ("predictions/exports/", "exports"),
        ("predictions/bases/abc", "other"),
        ("predictions/", "other"),
        ("", "other"),
        ("elsewhere/log/1", "other"),
    ],
)
def test_a_key_belongs_to_a_part(key: str, part: str) -> None:
    assert part_of(key, "predictions/") == part
    assert part in PARTS


def test_without_a_prefix_the_first_folder_is_the_part() -> None:
    assert part_of("log/1") == part_of("log/1", "") == "log"


@pytest.mark.parametrize(
    ("operation", "billed"),
    [
        ("PutObject", Operation.PUT),
        ("UploadPart", Operation.PUT),
        ("CopyObject", Operation.PUT),
        ("ListObjectsV2", Operation.LIST),
        ("ListObjectVersions", Operation.LIST),
        ("GetObject", Operation.GET),
        ("HeadObject", Operation.GET),
        ("GetBucketVersioning", Operation.GET),
        ("DeleteObject", Operation.DELETE),
    ],
)
def test_requests_are_billed_as_the_price_list_says(operation: str, billed: Operation) -> None:
    assert billed_as(operation) == billed


def test_refusals_and_requests_without_an_answer_count_and_are_told_apart() -> None:
    counts = Counts()
    for status, seconds in ((200, 0.01), (404, 0.01), (None, 30.0)):
        counts.add(
            "log",
            Operation.GET,
            sent_bytes=1,
            received_bytes=100,
            seconds=seconds,
            status=status,
        )
    assert counts.tally("log", Operation.GET) == Tally(3, 1, 1, 3, 300)
    # Nobody knows how long an answer took that did not come.
    assert counts.latency[Operation.GET].answers == 2


def test_percentiles_are_never_too_low_and_at_most_15_percent_too_high() -> None:
    latency = Latency()
    for milliseconds in range(1, 1001):
        latency.add(milliseconds / 1000)
    for share in (0.5, 0.95, 0.99, 1.0):
        found = latency.within_seconds(share)
        assert found is not None
        assert share <= found <= 1.15 * share
    assert Latency().within_seconds(0.5) is None


def test_counts_of_several_processes_add_up() -> None:
    one = counted("log", Operation.GET, 3, received_bytes=5)
    other = counted("log", Operation.GET, 2)
    other.merge(counted("backups", Operation.PUT, 1))
    together = Counts.together([one, other])
    assert together.tally("log", Operation.GET) == Tally(5, 0, 0, 50, 15)
    assert together.requests(Operation.PUT) == 1
    assert together.total.requests == 6
    assert together.latency[Operation.GET].answers == 5
    assert one.requests(Operation.GET) == 3, "what is added up stays as it was"


def test_a_day_is_kept_as_a_short_text() -> None:
    storage = storage_of([StoredObject("log/1", 7)], NOON, has_older=True)
    day = WriterDay(NOON, counted("log", Operation.GET, 1000, received_bytes=5), storage)
    day.counts.merge(counted("bronze", Operation.PUT, 20))
    assert WriterDay.of_text(day.text()) == day
    assert len(day.text()) < 600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"format":2}',
        '{"format":1,"since":"2026-11-11T12:00:00","requests":{},"latency":{}}',
        '{"format":1,"since":"2026-11-11T12:00:00Z","requests":{"log":{"GET":[-1]}},"latency":{}}',
        '{"format":1,"since":"2026-11-11T12:00:00Z","requests":{"log":{"X":[1]}},"latency":{}}',
        '{"format":1,"since":"2026-11-11T12:00:00Z","requests":7,"latency":{}}',
    ],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(UnreadableFigures):
        WriterDay.of_text(text)


def test_a_part_of_a_later_version_counts_as_other() -> None:
    text = WriterDay(NOON, counted("log", Operation.GET, 2)).text().replace('"log"', '"attic"')
    found = WriterDay.of_text(text)
    assert found.counts.tally("other", Operation.GET).requests == 2


def test_the_days_of_several_processes_are_one() -> None:
    days = merged_days(
        [
            (NOON.date(), WriterDay(NOON, counted("log", Operation.GET, 1))),
            (date(2026, 11, 10), WriterDay(NOON - DAY, counted("log", Operation.PUT, 1))),
            (
                NOON.date(),
                WriterDay(NOON - timedelta(hours=1), counted("log", Operation.GET, 2)),
            ),
        ]
    )
    assert [one.day.day for one in days] == [10, 11]
    assert days[1].counts.requests(Operation.GET) == 3
    assert days[1].since == NOON - timedelta(hours=1)


# What is stored -----------------------------------------------------------------------------------


def listing(at: datetime, size_bytes: int) -> Storage:
    return Storage(at, {"log": Stored(size_bytes, 1)}, True)


def test_a_listing_is_summed_by_part_with_older_versions_apart() -> None:
    found = storage_of(
        [
            StoredObject("log/1", 5),
            StoredObject("head.json", 3),
            StoredObject("head.json", 2, is_current=False),
        ],
        NOON,
        has_older=True,
    )
    assert found.parts == {"log": Stored(5, 1), "snapshots": Stored(3, 1, 2, 1)}
    assert found.total == Stored(8, 2, 2, 1)
    assert Storage.of_document(found.document()) == found


def test_between_listings_bytes_grow_evenly_and_around_them_they_stay() -> None:
    listings = [listing(NOON + 10 * DAY, 300), listing(NOON, 100)]
    assert byte_months(listings, NOON, NOON + 10 * DAY) == pytest.approx(200 / 3)
    assert byte_months(listings, NOON - 3 * DAY, NOON) == pytest.approx(10)
    assert byte_months(listings, NOON + 10 * DAY, NOON + 13 * DAY) == pytest.approx(30)
    assert byte_months([], NOON, NOON + DAY) == 0
    assert byte_months(listings, NOON, NOON) == 0


# The month ----------------------------------------------------------------------------------------


def test_the_month_so_far_and_where_it_leads() -> None:
    """Ten days at 1,000 PUTs and a megabyte down each, a gigabyte stored throughout."""
    days = [
        UsageDay(
            date(2026, 11, day),
            datetime(2026, 11, day, tzinfo=UTC),
            counted("log", Operation.PUT, 1000, received_bytes=1000),
        )
        for day in range(1, 11)
    ]
    last_month = UsageDay(
        date(2026, 10, 31), NOON - 12 * DAY, counted("log", Operation.PUT, 50_000)
    )
    listings = [listing(datetime(2026, 10, 31, tzinfo=UTC), GIGABYTE)]
    month = month_of([last_month, *days], listings, datetime(2026, 11, 11, tzinfo=UTC))
    assert month.first_day == date(2026, 11, 1)
    assert month.usage.requests[Operation.PUT] == 10_000
    assert month.usage.sent_bytes == 10_000_000
    assert month.usage.stored_byte_months == pytest.approx(GIGABYTE / 3)
    assert month.bill == bill_of(month.usage)
    assert month.bill.total_usd == pytest.approx(0.05 + 0.023 / 3)
    assert month.projected is not None
    assert month.projected.total_usd == pytest.approx(0.15 + 0.023)
    [log] = month.parts
    assert log.part == "log"
    assert log.total_usd == pytest.approx(month.bill.total_usd)


def test_a_month_that_was_counted_in_part_goes_on_at_the_rate_that_was_counted() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    day = UsageDay(date(2026, 11, 27), now - 2 * DAY, counted("log", Operation.GET, 200))
    month = month_of([day], [], now)
    assert month.counted_since == now - 2 * DAY
    assert month.usage.requests[Operation.GET] == 200
    assert month.projected is not None
    assert month.projected.total_usd == pytest.approx(400 * 0.0004 / 1000)


def test_a_starts_burst_does_not_stand_for_a_month() -> None:
    day = UsageDay(NOON.date(), NOON, counted("log", Operation.GET, 60))
    assert month_of([day], [], NOON + timedelta(hours=1)).projected is None
    empty = month_of([], [], NOON)
    assert (empty.bill.total_usd, empty.projected, empty.parts) == (0, None, ())


def test_december_ends_with_the_year() -> None:
    now = datetime(2026, 12, 31, 12, tzinfo=UTC)
    day = UsageDay(date(2026, 12, 30), now - 2 * DAY, counted("log", Operation.PUT, 4000))
    month = month_of([day], [], now)
    assert month.projected is not None
    assert month.projected.total_usd == pytest.approx(5000 * 0.005 / 1000)


def test_what_goes_out_is_free_up_to_a_bound() -> None:
    days = [
        UsageDay(
            date(2026, 11, 10),
            NOON - DAY,
            counted("exports", Operation.GET, 1, received_bytes=150 * GIGABYTE),
        )
    ]
    lines = {line.what: line.usd for line in month_of(days, [], NOON).bill.lines}
    assert lines["traffic out"] == pytest.approx(50 * 0.09)


def test_a_clock_that_was_set_back_costs_nothing() -> None:
    listings = [listing(NOON + DAY, GIGABYTE)]
    days = [UsageDay(NOON.date(), NOON + timedelta(hours=2), Counts())]
    month = month_of(days, listings, NOON)
    assert month.bill.total_usd == 0
    assert month.projected is None
