"""What the bucket is used for and what that costs: this month, by part, by day, by prefix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from jobs.authority import sign_in_remedy
from jobs.errors import EXPLAINED, NotReady
from jobs.picture_counts import Seen
from jobs.usage import Account
from replica.stores.s3 import S3Options
from ui.answers import do_and_answer, show_answer
from ui.charts import show_chart
from ui.formats import moment, plain, short_date
from ui.frame import Frame
from ui.usage_charts import days_chart, days_frame, days_words
from usage.cost import GIGABYTE, S3, Operation, bill_of
from usage.cost_estimate import Habits, Sizes, expected_usage
from usage.counting import Latency
from usage.month import Month
from usage.storage import Storage, Stored

__all__ = ["show_usage"]

_ANSWER: Final = "usage_answer"
_SHARES: Final = (0.5, 0.95, 0.99)
_SEASON_DAYS: Final = 180
_UTC: Final = ZoneInfo("UTC")
_PRICED_REGION: Final = "us-east-1"


def show_usage(frame: Frame) -> None:
    """The whole page, for the owner; anybody else reads whose it is."""
    settings, meter = frame.application.settings, frame.application.meter
    if not frame.actor.is_owner:
        st.info(f"This page is the owner's. {plain(sign_in_remedy(settings.owner))}")
        return
    if not meter.is_on:
        st.info(
            "The history lives in a folder of this machine, which costs nothing, so nothing is "
            "counted. With a bucket in the settings this page shows its requests and its bill.",
            icon=":material/folder:",
        )
        _show_pictures(frame)
        _show_prices(None)
        return
    try:
        account = meter.account(frame.actor)
    except EXPLAINED as error:
        st.error(plain(str(error)))
        return
    _show_month(account)
    _show_parts(account.month)
    _show_days(account)
    _show_answering_times(account.month)
    _show_storage(frame, account.storage)
    _show_pictures(frame)
    _show_prices(settings.store if isinstance(settings.store, S3Options) else None)


# The month ----------------------------------------------------------------------------------------


def _show_month(account: Account) -> None:
    month = account.month
    name = f"{month.first_day:%B}"
    st.caption(
        "Each request is counted as it is sent, repeated and refused ones too, and what lies in "
        "the bucket is listed once a day. The bill is made of that with list prices; days and "
        "months are UTC. What others download through links and commands that only read the "
        "bucket are not counted."
    )
    for remark in _remarks(account):
        st.warning(plain(remark), icon=":material/warning:")
    stored = "not listed yet" if account.storage is None else _size(_paid(account.storage))
    with st.container(horizontal=True):
        st.metric(f"{name} so far", _usd(month.bill.total_usd))
        st.metric(
            f"All of {name}",
            "–" if month.projected is None else _usd(month.projected.total_usd),
            help="Requests and traffic go on as they did since they are counted; what is stored "
            "stays as it was listed last. Shown after a day of counting.",
        )
        st.metric("Requests so far", f"{month.counts.total.requests:,}")
        st.metric("Stored", stored)
    if month.counted_since is None:
        st.caption("Nothing has been counted this month yet.")
        return
    st.caption(f"Counted since {plain(moment(month.counted_since, _UTC))}.")
    st.header("The bill")
    rows = _bill_rows(month)
    st.dataframe(
        pd.DataFrame(rows, columns=["What", "Cost", f"All of {name}", "So far", "Price"]),
        alt=f"The bill of {name}: what was used, its price and its cost",
        hide_index=True,
        width="stretch",
        column_config={"What": st.column_config.TextColumn(pinned=True)},
    )


def _remarks(account: Account) -> Iterable[str]:
    if account.remark:
        yield account.remark
    if account.unreadable:
        rows = "1 row was" if account.unreadable == 1 else f"{account.unreadable} rows were"
        yield f"{rows} written by a later version of the app and left out. Update the app."


def _bill_rows(month: Month) -> list[tuple[str, str, str, str, str]]:
    projected = {} if month.projected is None else {x.what: x.usd for x in month.projected.lines}
    used = {
        **{
            operation.value: (
                f"{month.usage.requests.get(operation, 0):,}",
                f"{_price(S3.per_thousand.get(operation, 0.0))} a thousand"
                if S3.per_thousand.get(operation)
                else "free",
            )
            for operation in Operation
        },
        "storage": (
            f"{_size(month.usage.stored_byte_months)} × month",
            f"{_price(S3.per_gigabyte_month)} a GB and month",
        ),
        "traffic out": (
            _size(month.usage.sent_bytes),
            f"{S3.free_gigabytes_sent:g} GB free, then {_price(S3.per_gigabyte_sent)} a GB",
        ),
    }
    return [
        (
            line.what,
            _usd(line.usd),
            _usd(projected[line.what]) if projected else "–",
            *used[line.what],
        )
        for line in month.bill.lines
    ]


def _show_parts(month: Month) -> None:
    if not month.parts:
        return
    st.header("What costs how much")
    table = pd.DataFrame(
        {
            "Part": [one.part for one in month.parts],
            "Cost": [_usd(one.total_usd) for one in month.parts],
            **{
                operation.value: [one.requests[operation] for one in month.parts]
                for operation in Operation
            },
            "Requests cost": [_usd(sum(one.requests_usd.values())) for one in month.parts],
            "Storage costs": [_usd(one.storage_usd) for one in month.parts],
        }
    )
    st.dataframe(
        table,
        alt="What each part of the bucket costs this month, dearest first, with its requests",
        hide_index=True,
        width="stretch",
        column_config={
            "Part": st.column_config.TextColumn(pinned=True, help="the first folder of the key"),
            **{kind.value: st.column_config.NumberColumn(format="localized") for kind in Operation},
        },
    )
    received, sent = month.usage.sent_bytes, month.counts.total.sent_bytes
    st.caption(
        f"{_size(received)} came from the bucket and {_size(sent)} went there. "
        f"{_refusals(month)} Traffic in costs nothing."
    )


def _refusals(month: Month) -> str:
    total = month.counts.total
    words = f"{total.refused:,} requests were answered with a refusal or found nothing"
    if total.unanswered:
        words += f", and {total.unanswered:,} were not answered"
    return f"{words}; they are billed too."


# Days, times, storage -----------------------------------------------------------------------------


def _show_days(account: Account) -> None:
    if not account.days:
        return
    st.header("Requests by day")
    frame = days_frame(account.days)
    show_chart(
        days_chart(frame), days_words(account.days), data=frame, file_name="requests-by-day.csv"
    )


def _show_answering_times(month: Month) -> None:
    kinds = [one for one in Operation if one in month.counts.latency]
    if not kinds:
        return
    st.header("How long answers take")
    latencies = [month.counts.latency[kind] for kind in kinds]
    table = pd.DataFrame(
        {
            "Kind": [kind.value for kind in kinds],
            "Answers": [f"{one.answers:,}" for one in latencies],
            **{
                f"{share:.0%} within": [_time(one, share) for one in latencies] for share in _SHARES
            },
        }
    )
    st.table(
        table, border="horizontal", hide_index=True, alt="How long answers took this month, by kind"
    )
    st.caption("Until the answer begins, this month; up to 15% too high, never too low.")


def _time(latency: Latency, share: float) -> str:
    seconds = latency.within_seconds(share) or 0.0
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _show_storage(frame: Frame, storage: Storage | None) -> None:
    st.header("What is stored")
    if st.button(
        "List it now",
        icon=":material/inventory_2:",
        help="One LIST request for each thousand objects and older versions.",
    ):
        do_and_answer(frame, _ANSWER, lambda: _list(frame))
    show_answer(_ANSWER)
    if storage is None:
        st.caption("It is listed once a day; the first time some minutes after a start.")
        return
    parts: Sequence[tuple[str, Stored]] = sorted(
        storage.parts.items(), key=lambda item: -item[1].total_bytes
    )
    table = pd.DataFrame(
        {
            "Part": [part for part, _ in parts],
            "Objects": [stored.current_objects for _, stored in parts],
            "Size": [_size(stored.current_bytes) for _, stored in parts],
            "Older versions": [stored.older_objects for _, stored in parts],
            "Their size": [_size(stored.older_bytes) for _, stored in parts],
        }
    )
    st.dataframe(
        table,
        alt="What is stored of each part, largest first, with older versions apart",
        hide_index=True,
        width="stretch",
        column_config={"Part": st.column_config.TextColumn(pinned=True)},
    )
    words = f"Listed {moment(storage.at, frame.zone)}."
    if storage.unlisted:
        words += (
            f" The bucket for {' and the one for '.join(storage.unlisted)} could not be listed: "
            "what lies there costs too. See its name in the settings, and the policy on the Setup "
            "page."
        )
    if not storage.has_older:
        words += (
            " Older versions could not be listed: if the bucket keeps them, they cost too. The "
            "policy on the Setup page allows it."
        )
    st.caption(plain(words))


def _list(frame: Frame) -> str:
    found = frame.application.meter.list_storage(frame.actor)
    total = found.total
    older = f" and {total.older_objects:,} older versions" if total.older_objects else ""
    return f"{total.current_objects:,} objects{older}, {_size(_paid(found))}."


def _show_pictures(frame: Frame) -> None:
    pictures = frame.application.pictures
    if not (pictures.shows_players or pictures.shows_teams):
        return
    first_day = frame.application.clock().astimezone(_UTC).date().replace(day=1)
    try:
        seen = pictures.seen(first_day)
    except NotReady as error:
        st.caption(plain(str(error)))
        return
    st.caption(
        f"Pictures in {first_day:%B}: {seen[Seen.SHOWN]:,} shown, {seen[Seen.DRAWN]:,} drawn in "
        f"their place, {seen[Seen.FETCHED]:,} fetched, {seen[Seen.FAILED]:,} failed."
    )


def _paid(storage: Storage) -> int:
    return storage.total.total_bytes


# Prices -------------------------------------------------------------------------------------------


def _show_prices(options: S3Options | None) -> None:
    st.header("Prices")
    first, last = (
        bill_of(expected_usage(Habits(), Sizes(), begin, begin + 29)).total_usd
        for begin in (1, _SEASON_DAYS - 29)
    )
    words = (
        f"List prices of {S3.name}, as of {short_date(S3.as_of)}, without tax. The first "
        f"{S3.free_gigabytes_sent:g} GB a month that go out are free for every account; credits "
        "for new accounts are not counted here. Used as most are, the app costs about "
        f"{_usd(first)} in the first month of a season and {_usd(last)} in the last."
    )
    if options is not None and not options.is_aws:
        words += (
            " Your bucket is at another service than Amazon's: its bill follows its own prices, "
            "and these figures only say what the same use would cost at Amazon's."
        )
    elif options is not None and options.region != _PRICED_REGION:
        words += f" Your bucket is in {options.region}, where prices are somewhat different."
    st.caption(plain(words))


def _usd(amount: float) -> str:
    """$0.0213; a cent and less matters here."""
    return f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"


def _price(amount: float) -> str:
    return f"${amount:g}"


def _size(size_bytes: float) -> str:
    """Of a thousand bytes to a kilobyte, as GIGABYTE has it."""
    if size_bytes >= GIGABYTE:
        return f"{size_bytes / GIGABYTE:,.2f} GB"
    if size_bytes >= 1e6:
        return f"{size_bytes / 1e6:,.1f} MB"
    return f"{size_bytes / 1000:,.1f} kB"
